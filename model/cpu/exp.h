#pragma once

#include <bit>
#include <cstdint>

namespace lockstep::model {

/// exp of x <= 0 to 1e-7 relative, in operations that vectorize: 2^n * exp(r) with |r| <= ln(2) / 2 and exp(r) by its
/// Taylor series. Below -87, where the result is 1e-38, the argument is held.
inline float exp_of_negative(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // few bits, so that n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRoundToInteger = 12582912.0F;  // 1.5 * 2^23: adding it leaves no bits behind the point
  x = x < -87.0F ? -87.0F : x;
  const float shifted = x * kLog2E + kRoundToInteger;
  const float n = shifted - kRoundToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float series = 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  // The low bits of `shifted` are n: moved to the exponent, and 127 added there.
  return series * std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) << 23) + 0x3F800000);
}

}  // namespace lockstep::model
