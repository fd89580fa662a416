#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// Elements [begin, end) of a flat vector.
struct ElementRange {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

/// A named tensor's shape. In a list: in the order in which the tensors stand in the flat vector, without gaps.
struct TensorShape {
  std::string name;
  std::vector<int64_t> shape;
  int64_t size() const;
  bool operator==(const TensorShape&) const = default;
};

/// Elements of all of them.
int64_t size_of(const std::vector<TensorShape>& tensors);

/// Elements [begin, end) of one tensor, counted row by row.
struct Slice {
  std::string tensor;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
  bool operator==(const Slice&) const = default;
};

/// Rank `rank`'s part of a flat vector of `size` elements: parts follow each other, and differ by at most one element.
ElementRange range_of_rank(int64_t size, int rank, int world_size);

/// The tensors' elements that lie in `range`, in flat order; without those of which none do.
std::vector<Slice> slices_of(const ElementRange& range, const std::vector<TensorShape>& tensors);

/// "" if `slices` hold every element of every tensor exactly once, else what is wrong.
std::string problem_with_cover(std::vector<Slice> slices, const std::vector<TensorShape>& tensors);

}  // namespace lockstep
