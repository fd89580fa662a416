#include "model/attention_rows.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "model/vectorize.h"

namespace lockstep::model {
namespace {

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
  const auto exponent = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
  return series * std::bit_cast<float>(exponent);
}

LOCKSTEP_FOR_EACH_ISA void softmax_row(float* row, int64_t length, float scale) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < length; ++j)
    largest = std::max(largest, row[j]);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < length; ++j) {
    row[j] = exp_of_negative((row[j] - largest) * scale);
    sum += row[j];
  }
  const float inverse = 1 / sum;
#pragma omp simd
  for (int64_t j = 0; j < length; ++j)
    row[j] *= inverse;
}

LOCKSTEP_FOR_EACH_ISA void gradient_row(const float* __restrict probabilities, float* __restrict mask,
                                        float* __restrict gradient, float delta, int64_t length, float scale) {
#pragma omp simd
  for (int64_t j = 0; j < length; ++j) {
    const float scaled = scale * probabilities[j];
    gradient[j] = scaled * (gradient[j] * mask[j] - delta);
    mask[j] *= probabilities[j];
  }
}

}  // namespace

void softmax_rows(float* rows, int64_t count, int64_t length, int64_t stride, float scale) {
  for (int64_t i = 0; i < count; ++i) {
    float* row = rows + i * stride;
    softmax_row(row, length, scale);
    std::fill(row + length, row + stride, 0.0F);
  }
}

void attention_gradient_rows(const float* probabilities, float* mask, float* gradient, const float* deltas,
                             int64_t count, int64_t length, int64_t stride, float scale) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = i * stride;
    gradient_row(probabilities + row, mask + row, gradient + row, deltas[i], length, scale);
    std::fill(mask + row + length, mask + row + stride, 0.0F);
    std::fill(gradient + row + length, gradient + row + stride, 0.0F);
  }
}

}  // namespace lockstep::model
