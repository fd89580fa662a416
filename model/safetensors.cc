#include "model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "model/error.h"

namespace lockstep::model {
namespace {

/// Owns a read-only mapping of a whole file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw ModelFileError(path.string() + ": cannot be opened: " + std::strerror(errno));
    struct stat status {};
    if (::fstat(descriptor, &status) == 0) size_ = static_cast<uint64_t>(status.st_size);
    if (size_ > 0) start_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int error = errno;
    ::close(descriptor);
    if (start_ == MAP_FAILED) throw ModelFileError(path.string() + ": cannot be mapped: " + std::strerror(error));
  }
  ~MappedFile() {
    if (start_ != nullptr) ::munmap(start_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(start_), size_}; }

 private:
  void* start_ = nullptr;
  uint64_t size_ = 0;
};

float float_of_half(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000U} << 16;
  const uint32_t exponent = (half >> 10) & 0x1F;
  const uint32_t fraction = half & 0x3FF;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact in float
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

float float_of_bfloat16(uint16_t value) {
  return std::bit_cast<float>(uint32_t{value} << 16);
}

std::vector<float> widen(std::span<const std::byte> bytes, float (*convert)(uint16_t)) {
  std::vector<float> values(bytes.size() / sizeof(uint16_t));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t narrow = 0;
    std::memcpy(&narrow, bytes.data() + i * sizeof(narrow), sizeof(narrow));
    values[i] = convert(narrow);
  }
  return values;
}

}  // namespace

struct SafetensorsFile::Impl {
  explicit Impl(const std::filesystem::path& path)
      : where(path.string()), file(path), tensors(parse_safetensors(file.bytes(), where)) {}

  std::string where;
  MappedFile file;
  std::map<std::string, TensorView> tensors;
};

SafetensorsFile::SafetensorsFile() = default;
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile result;
  result.impl_ = std::make_unique<Impl>(path);
  return result;
}

const std::map<std::string, TensorView>& SafetensorsFile::tensors() const {
  return impl_->tensors;
}

std::vector<float> SafetensorsFile::floats(const std::string& name) const {
  const auto found = impl_->tensors.find(name);
  if (found == impl_->tensors.end()) throw ModelContractError(impl_->where + ": has no tensor \"" + name + "\"");
  const TensorView& tensor = found->second;
  if (tensor.dtype == "F16") return widen(tensor.bytes, float_of_half);
  if (tensor.dtype == "BF16") return widen(tensor.bytes, float_of_bfloat16);
  if (tensor.dtype != "F32")
    throw ModelContractError(impl_->where + ": tensor \"" + name + "\" is " + tensor.dtype +
                             ", expected F32, F16 or BF16");
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

}  // namespace lockstep::model
