#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "model/error.h"
#include "model/json_file.h"
#include "model/safetensors.h"

namespace lockstep::model {
namespace {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kLargestHeader = 16 << 20;  // thousands of tensors take less than one MiB
const std::map<std::string, uint64_t> kBytesOfType = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
    {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};

std::string_view header_of(std::span<const std::byte> file, const std::string& where) {
  if (file.size() < kLengthBytes)
    throw ModelFileError(where + ": " + std::to_string(file.size()) + " bytes are too few for a safetensors file");
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLargestHeader)
    throw ModelFileError(where + ": its header claims " + std::to_string(length) + " bytes, more than the " +
                         std::to_string(kLargestHeader) + " that are read");
  if (length > file.size() - kLengthBytes)
    throw ModelFileError(where + ": cut short: its header claims " + std::to_string(length) + " bytes, the file has " +
                         std::to_string(file.size()));
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, length};
}

/// What the JSON parser alone would pass over: a mark before the text, and all that follows a NUL.
void require_plain_start_and_end(std::string_view header, const std::string& where) {
  if (!header.starts_with('{'))
    throw ModelFileError(where + ": its header does not begin with {, expected a JSON object");
  if (header.find('\0') != std::string_view::npos)
    throw ModelFileError(where + ": its header has a NUL byte, which is not valid JSON");
}

void require_texts(const json& metadata, const std::string& where) {
  const auto is_text = [](const json& value) { return value.is_string(); };
  if (!metadata.is_object() || !std::all_of(metadata.begin(), metadata.end(), is_text))
    throw ModelFileError(where + ": __metadata__ is " + excerpt(metadata) + ", expected an object of strings");
}

/// One entry of the header, checked against itself.
class Entry {
 public:
  Entry(const json& entry, std::string where) : where_(std::move(where)) {
    if (!entry.is_object() || entry.size() != 3)
      refuse("expected dtype, shape and data_offsets, found " + excerpt(entry));
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
    if (!type.is_string() || !kBytesOfType.contains(type.get<std::string>())) refuse("unknown dtype " + excerpt(type));
    view.dtype = type.get<std::string>();
  }
  void read_shape(const json& entry) {
    const json& shape = field(entry, "shape");
    if (!shape.is_array()) refuse("shape is " + excerpt(shape));
    expected_ = kBytesOfType.at(view.dtype);
    for (const json& side : shape) {
      if (!side.is_number_unsigned()) refuse("shape " + excerpt(shape) + " has a side that is not a natural number");
      const auto length = side.get<uint64_t>();
      if (length > std::numeric_limits<int64_t>::max() || __builtin_mul_overflow(expected_, length, &expected_))
        refuse("shape " + excerpt(shape) + " overflows");
      view.shape.push_back(static_cast<int64_t>(length));
    }
  }
  void read_range(const json& entry) {
    const json& range = field(entry, "data_offsets");
    if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned())
      refuse("data_offsets is " + excerpt(range) + ", expected [begin, end]");
    begin = range[0].get<uint64_t>();
    end = range[1].get<uint64_t>();
    if (end < begin || end - begin != expected_)
      refuse("data_offsets " + excerpt(range) + " do not span the " + std::to_string(expected_) +
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

}  // namespace

std::map<std::string, TensorView> parse_safetensors(std::span<const std::byte> file, const std::string& where) {
  const std::string_view header = header_of(file, where);
  require_plain_start_and_end(header, where);
  const auto data = file.subspan(kLengthBytes + header.size());
  std::vector<std::pair<std::string, Entry>> entries;
  const json names = parse_json_object(header, where);
  for (const auto& [name, entry] : names.items())
    if (name == "__metadata__")
      require_texts(entry, where);
    else
      entries.emplace_back(name, Entry(entry, where + ": tensor " + excerpt(json(name))));
  require_tiling(entries, data.size(), where);
  std::map<std::string, TensorView> tensors;
  for (auto& [name, entry] : entries) {
    entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    tensors.emplace(name, std::move(entry.view));
  }
  return tensors;
}

}  // namespace lockstep::model
