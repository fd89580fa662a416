#include "launcher/checkpoint/hashed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "data/error.h"
#include "launcher/failpoint.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

constexpr size_t kAlignment = 4096;         // of memory and of places in the file, for direct writes: the usual most
constexpr size_t kBlock = size_t{1} << 20;  // hashed and written while the processor's cache still holds it

char* new_block() {
  void* block = std::aligned_alloc(kAlignment, kBlock);
  if (block == nullptr) throw std::bad_alloc();
  return static_cast<char*>(block);
}

}  // namespace

void HashedFile::Free::operator()(char* block) const {
  std::free(block);
}

HashedFile::HashedFile(fs::path path, WrittenBytes* written)
    : path_(std::move(path)),
      written_(written),
      block_(new_block()),
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail("create");
}

HashedFile::~HashedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void HashedFile::fail(const std::string& what) const {
  const int code = errno;
  throw std::system_error(code, std::generic_category(), "cannot " + what + " " + path_.string());
}

/// Past the page cache, or again through it. Where the file system refuses, nothing changes.
void HashedFile::write_directly(bool on) {
  const int flags = ::fcntl(descriptor_, F_GETFL);
  if (flags >= 0 && ::fcntl(descriptor_, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0) is_direct_ = on;
}

void HashedFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t part = std::min(bytes.size(), kBlock - filled_);
    std::memcpy(block_.get() + filled_, bytes.data(), part);
    bytes.remove_prefix(part);
    filled_ += part;
    if (filled_ < kBlock) return;
    if (bytes_ == 0) write_directly(true);
    empty_block();
  }
}

void HashedFile::empty_block() {
  std::string_view rest(block_.get(), std::exchange(filled_, 0));
  hash_.update(rest);
  while (!rest.empty()) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EINVAL && is_direct_) {  // another alignment is wanted, as after a part of a block
      write_directly(false);
      if (!is_direct_) continue;
    }
    if (count < 0) fail("write");
    rest.remove_prefix(static_cast<size_t>(count));
    bytes_ += count;
    if (written_ != nullptr) *written_ += count;
  }
}

FileReceipt HashedFile::finish() {
  if (is_direct_) write_directly(false);  // the last block is shorter
  empty_block();
  failpoint("flush");
  if (::fsync(descriptor_) != 0) fail("flush");
  // Some file systems (NFS) report a failed write only here.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("write");
  return {path_.filename().string(), bytes_, hash_.hex()};
}

FileReceipt write_hashed(const fs::path& path, std::string_view bytes) {
  HashedFile file(path);
  file.write(bytes);
  return file.finish();
}

FileReceipt receipt_of(const fs::path& path) {
  return {path.filename().string(), static_cast<int64_t>(fs::file_size(path)), data::sha256_of_file(path)};
}

std::optional<std::string> problem_with_size(const fs::path& folder, const FileReceipt& file) {
  std::error_code error;
  const auto size = fs::file_size(folder / file.name, error);
  if (error) return file.name + ": " + error.message();
  if (static_cast<int64_t>(size) != file.bytes)
    return file.name + ": has " + std::to_string(size) + " bytes, the manifest says " + std::to_string(file.bytes);
  return std::nullopt;
}

std::optional<std::string> problem_with(const fs::path& folder, const FileReceipt& file,
                                        const std::function<void()>& on_progress) {
  if (auto problem = problem_with_size(folder, file)) return problem;
  try {
    const std::string found = data::sha256_of_file(folder / file.name, on_progress);
    if (found == file.sha256) return std::nullopt;
    return file.name + ": its sha256 is " + found + ", the manifest says " + file.sha256;
  } catch (const data::DataError& error) {
    return error.what();
  }
}

}  // namespace lockstep
