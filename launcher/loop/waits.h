#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lockstep {

// What makes a wait worth a warning, be it for a rank or for the network: in the median of some steps it is a share of
// a step, and some time.
inline constexpr size_t kWaitWindow = 10;  // steps
inline constexpr double kWaitShare = 0.25;
inline constexpr double kWaitSeconds = 0.05;

/// Of at least one value; of an even number of them, the larger one in the middle.
inline double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace lockstep
