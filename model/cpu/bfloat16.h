#pragma once

#include <bit>
#include <cstdint>

namespace lockstep::model {

/// The upper half of a float, as LibTorch's and every CPU's.
struct Bf16 {
  uint16_t bits = 0;
};

inline float widened(float value) {
  return value;
}
inline float widened(Bf16 value) {
  return std::bit_cast<float>(uint32_t{value.bits} << 16);
}

inline void store(float& to, float value) {
  to = value;
}
/// To the nearest, even on a tie; NaN stays NaN. In operations that vectorize.
inline void store(Bf16& to, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  to.bits = static_cast<uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0U : rounded);
}

}  // namespace lockstep::model
