#include "model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "model/error.h"
#include "model/json_file.h"

namespace lockstep::model {
namespace {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kLargestHeader = 100'000'000;  // the format's own limit
const std::map<std::string, uint64_t> kBytesOfType = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
    {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};

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

std::string_view header_of(std::span<const std::byte> file, const std::string& where) {
  if (file.size() < kLengthBytes)
    throw ModelFileError(where + ": " + std::to_string(file.size()) + " bytes are too few for a safetensors file");
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLargestHeader)
    throw ModelFileError(where + ": its header claims " + std::to_string(length) +
                         " bytes, the format allows 100000000");
  if (length > file.size() - kLengthBytes)
    throw ModelFileError(where + ": cut short: its header claims " + std::to_string(length) + " bytes, the file has " +
                         std::to_string(file.size()));
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, length};
}

/// One entry of the header, checked against itself.
class Entry {
 public:
  Entry(const json& entry, std::string where) : where_(std::move(where)) {
    if (!entry.is_object() || entry.size() != 3)
      refuse("expected dtype, shape and data_offsets, found " + entry.dump());
    read_type(entry);
    read_shape(entry);
    read_range(entry);
  }
  [[noreturn]] void refuse(const std::string& what) const { throw ModelFileError(where_ + ": " + what); }

  TensorView view;
  uint64_t begin = 0;
  uint64_t end = 0;

 private:
  const json& field(const json& entry, const char* key) const {
    const auto found = entry.find(key);
    if (found == entry.end()) refuse(std::string("has no \"") + key + "\"");
    return *found;
  }
  void read_type(const json& entry) {
    const json& type = field(entry, "dtype");
    if (!type.is_string() || !kBytesOfType.contains(type.get<std::string>())) refuse("unknown dtype " + type.dump());
    view.dtype = type.get<std::string>();
  }
  void read_shape(const json& entry) {
    const json& shape = field(entry, "shape");
    if (!shape.is_array()) refuse("shape is " + shape.dump());
    expected_ = kBytesOfType.at(view.dtype);
    for (const json& side : shape) {
      if (!side.is_number_unsigned()) refuse("shape " + shape.dump() + " has a side that is not a natural number");
      const auto length = side.get<uint64_t>();
      if (length > std::numeric_limits<int64_t>::max() || __builtin_mul_overflow(expected_, length, &expected_))
        refuse("shape " + shape.dump() + " overflows");
      view.shape.push_back(static_cast<int64_t>(length));
    }
  }
  void read_range(const json& entry) {
    const json& range = field(entry, "data_offsets");
    if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned())
      refuse("data_offsets is " + range.dump() + ", expected [begin, end]");
    begin = range[0].get<uint64_t>();
    end = range[1].get<uint64_t>();
    if (end < begin || end - begin != expected_)
      refuse("data_offsets " + range.dump() + " do not span the " + std::to_string(expected_) +
             " bytes of its shape and dtype");
  }

  std::string where_;
  uint64_t expected_ = 0;  // bytes, by shape and dtype
};

/// The ranges, put in order, tile [0, size) of the data.
void require_tiling(const std::vector<std::pair<std::string, Entry>>& entries, uint64_t size,
                    const std::string& where) {
  std::vector<const Entry*> order;
  for (const auto& [name, entry] : entries)
    order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
  uint64_t reached = 0;
  for (const Entry* entry : order) {
    if (entry->begin != reached)
      entry->refuse("starts at byte " + std::to_string(entry->begin) + " of the data, expected " +
                    std::to_string(reached) +
                    (entry->begin < reached ? ": it overlaps another tensor" : ": a gap before it"));
    reached = entry->end;
  }
  if (reached != size)
    throw ModelFileError(where + ": its tensors take " + std::to_string(reached) + " bytes, the file has " +
                         std::to_string(size) + (reached > size ? ": cut short" : ": something follows them"));
}

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
  explicit Impl(const std::filesystem::path& path) : where(path.string()), file(path) {
    const std::string_view header = header_of(file.bytes(), where);
    const auto data = file.bytes().subspan(kLengthBytes + header.size());
    std::vector<std::pair<std::string, Entry>> entries;
    const json names = parse_json_object(header, where);
    for (const auto& [name, entry] : names.items())
      if (name != "__metadata__") entries.emplace_back(name, Entry(entry, where + ": tensor \"" + name + "\""));
    require_tiling(entries, data.size(), where);
    for (auto& [name, entry] : entries) {
      entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
      tensors.emplace(name, std::move(entry.view));
    }
  }

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
