#include "launcher/checkpoint/partition.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace lockstep {

int64_t TensorShape::size() const {
  int64_t elements = 1;
  for (const int64_t side : shape)
    elements *= side;
  return elements;
}

int64_t size_of(const std::vector<TensorShape>& tensors) {
  int64_t elements = 0;
  for (const TensorShape& tensor : tensors)
    elements += tensor.size();
  return elements;
}

ElementRange range_of_rank(int64_t size, int rank, int world_size) {
  return {size * rank / world_size, size * (rank + 1) / world_size};
}

std::vector<Slice> slices_of(const ElementRange& range, const std::vector<TensorShape>& tensors) {
  std::vector<Slice> slices;
  int64_t offset = 0;
  for (const TensorShape& tensor : tensors) {
    const int64_t begin = std::max(range.begin - offset, int64_t{0}), end = std::min(range.end - offset, tensor.size());
    if (begin < end) slices.push_back({tensor.name, begin, end});
    offset += tensor.size();
  }
  return slices;
}

std::string problem_with_cover(std::vector<Slice> slices, const std::vector<TensorShape>& tensors) {
  std::map<std::string, int64_t> missing;  // tensor -> its size
  for (const TensorShape& tensor : tensors)
    if (!missing.emplace(tensor.name, tensor.size()).second) return "tensor " + tensor.name + " is listed twice";
  std::sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
    return std::tie(a.tensor, a.begin, a.end) < std::tie(b.tensor, b.begin, b.end);
  });
  std::map<std::string, int64_t> reached;
  for (const Slice& slice : slices) {
    if (!missing.contains(slice.tensor)) return "a slice of the unknown tensor " + slice.tensor;
    int64_t& end = reached[slice.tensor];
    if (slice.begin != end || slice.end <= slice.begin)
      return "tensor " + slice.tensor + ": after element " + std::to_string(end) + " a slice follows from " +
             std::to_string(slice.begin) + " to " + std::to_string(slice.end);
    end = slice.end;
  }
  for (const auto& [name, size] : missing)
    if (reached[name] != size)
      return "tensor " + name + ": " + std::to_string(reached[name]) + " of " + std::to_string(size) + " elements";
  return "";
}

}  // namespace lockstep
