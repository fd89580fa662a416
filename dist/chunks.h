#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace lockstep::dist {

/// MPI counts elements in an int. One message stays well below that, since libraries multiply counts by sizes inside.
inline constexpr size_t kMaxElementsPerMessage = size_t{1} << 28;

/// `values` in consecutive pieces of at most `limit` elements; none if it is empty. The same on all ranks for the same
/// size.
template <typename T>
std::vector<std::span<T>> chunks_of(std::span<T> values, size_t limit = kMaxElementsPerMessage) {
  std::vector<std::span<T>> chunks;
  for (size_t begin = 0; begin < values.size(); begin += limit)
    chunks.push_back(values.subspan(begin, std::min(limit, values.size() - begin)));
  return chunks;
}

}  // namespace lockstep::dist
