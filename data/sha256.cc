#include "data/sha256.h"

#include <openssl/evp.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "data/error.h"

namespace lockstep::data {

namespace {

constexpr size_t kChunk = 1 << 20;

void check(int status, const char* what) {
  if (status != 1) throw std::runtime_error(std::string("OpenSSL: ") + what + " failed");
}

std::string to_hex(const unsigned char* bytes, unsigned count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < count; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

[[noreturn]] void throw_unreadable(const std::filesystem::path& path) {
  throw DataError("cannot read " + path.string() + ": " + std::generic_category().message(errno));
}

}  // namespace

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() = default;
  ~Impl() { EVP_MD_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  check(EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr), "EVP_DigestInit_ex");
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  check(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()), "EVP_DigestUpdate");
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  check(EVP_DigestFinal_ex(impl_->context, digest, &size), "EVP_DigestFinal_ex");
  return to_hex(digest, size);
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& path, const std::function<void()>& on_progress) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw_unreadable(path);
  Sha256 hash;
  std::vector<char> chunk(kChunk);
  while (file.read(chunk.data(), kChunk) || file.gcount() > 0) {
    hash.update({chunk.data(), static_cast<size_t>(file.gcount())});
    if (on_progress) on_progress();
  }
  if (file.bad()) throw_unreadable(path);
  return hash.hex();
}

}  // namespace lockstep::data
