#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "launcher/checkpoint/partition.h"

namespace lockstep::tests {

/// A state of three tensors whose values tell where they stand.
inline const std::vector<TensorShape> kTensors = {{"head.bias", {2}}, {"head.weight", {2, 3}}, {"words", {5, 3}}};
inline constexpr int64_t kElements = 23;

inline std::vector<float> counted_from(float first, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), first);
  return values;
}

}  // namespace lockstep::tests
