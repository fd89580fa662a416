// A safetensors file: refused with a ModelFileError, or tensors that lie in it, one after the other. The mutator keeps
// the header's length, and often the file's, in order, so that mutations of the header get past the first checks.
#include <algorithm>
#include <cstring>
#include <span>

#include "model/error.h"
#include "model/safetensors.h"
#include "target.h"

using namespace lockstep;

namespace {

constexpr size_t kLengthBytes = 8;

/// The largest number of the header: if the header is in order, how much data follows it.
size_t largest_number(std::string_view header) {
  size_t largest = 0, number = 0;
  for (const char c : header) {
    number = c >= '0' && c <= '9' ? std::min<size_t>(number * 10 + static_cast<size_t>(c - '0'), 1 << 20) : 0;
    largest = std::max(largest, number);
  }
  return largest;
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* bytes, size_t size, size_t most, unsigned seed) {
  uint64_t length = 0;
  if (size >= kLengthBytes) std::memcpy(&length, bytes, kLengthBytes);
  if (size < kLengthBytes || length > size - kLengthBytes || seed % 16 == 0) return LLVMFuzzerMutate(bytes, size, most);
  uint8_t* header = bytes + kLengthBytes;
  const std::string data(reinterpret_cast<char*>(header) + length, size - kLengthBytes - length);
  length = LLVMFuzzerMutate(header, length, most - kLengthBytes);
  std::memcpy(bytes, &length, kLengthBytes);
  size_t after = data.size();
  if (seed % 4 != 1) after = largest_number({reinterpret_cast<char*>(header), length});
  after = std::min(after, most - kLengthBytes - length);
  std::memset(header + length, 0, after);
  std::copy_n(data.begin(), std::min(after, data.size()), header + length);
  return kLengthBytes + length + after;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  try {
    size_t sum = 0;
    for (const auto& [name, tensor] : model::parse_safetensors(std::as_bytes(std::span(bytes, size)), fuzz::kWhere)) {
      fuzz::require(
          tensor.bytes.empty() || (tensor.bytes.data() >= static_cast<const void*>(bytes) &&
                                   tensor.bytes.data() + tensor.bytes.size() <= static_cast<const void*>(bytes + size)),
          "tensors lie in the file", name);
      sum += tensor.bytes.size();
    }
    fuzz::require(sum < size, "no byte is of two tensors");
  } catch (const model::ModelFileError& error) {
    fuzz::require_good_error(error);
  }
  return 0;
}
