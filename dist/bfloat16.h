#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "dist/communicator.h"

namespace lockstep::dist {

inline float float_of(BFloat16 value) {
  return std::bit_cast<float>(uint32_t{static_cast<uint16_t>(value)} << 16);
}

/// The nearest one, even on a tie; NaN stays NaN.
inline BFloat16 bfloat16_of(float value) {
  constexpr uint16_t kNan = 0x7FC0;
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = bits + 0x7FFF + ((bits >> 16) & 1);
  return BFloat16{std::isnan(value) ? kNan : static_cast<uint16_t>(rounded >> 16)};
}

}  // namespace lockstep::dist
