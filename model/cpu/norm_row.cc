#include "model/cpu/norm_row.h"

#include <cmath>

#include "model/vectorize.h"

namespace lockstep::model {
namespace {

template <class T>
[[gnu::always_inline]] inline float mean_of(const T* values, int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j)
    sum += widened(values[j]);
  return sum / static_cast<float>(count);
}

template <class T>
[[gnu::always_inline]] inline float variance_of(const T* values, int64_t count, float mean) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    const float difference = widened(values[j]) - mean;
    sum += difference * difference;
  }
  return sum / static_cast<float>(count);
}

template <class T>
[[gnu::always_inline]] inline NormRow forward(T* __restrict sum, const T* __restrict residual, T* __restrict out,
                                              const float* __restrict weight, const float* __restrict bias,
                                              int64_t count, double epsilon, const RowDropout dropout) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j)
    store(sum[j], widened(sum[j]) * dropout.factor(j) + widened(residual[j]));
  const float mean = mean_of(sum, count);
  const double variance = variance_of(sum, count, mean);
  const auto inverse = static_cast<float>(1 / std::sqrt(variance + epsilon));
#pragma omp simd
  for (int64_t j = 0; j < count; ++j)
    store(out[j], (widened(sum[j]) - mean) * inverse * weight[j] + bias[j]);
  return {mean, inverse};
}

template <class T>
[[gnu::always_inline]] inline void backward(const T* __restrict sum, const float* __restrict weight, const NormRow norm,
                                            T* gradient, T* branch, const NormSums sums, int64_t count,
                                            const RowDropout dropout) {
  float* __restrict d_weight = sums.d_weight;
  float* __restrict d_bias = sums.d_bias;
  float* __restrict d_branch = sums.d_branch;
  float along_one = 0, along_value = 0;
#pragma omp simd reduction(+ : along_one, along_value)
  for (int64_t j = 0; j < count; ++j) {
    const float value = (widened(sum[j]) - norm.mean) * norm.inverse_deviation;
    const float d_out = widened(gradient[j]);
    d_weight[j] += d_out * value;
    d_bias[j] += d_out;
    along_one += d_out * weight[j];
    along_value += d_out * weight[j] * value;
  }
  along_one /= static_cast<float>(count);
  along_value /= static_cast<float>(count);
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const float value = (widened(sum[j]) - norm.mean) * norm.inverse_deviation;
    const float d_sum = norm.inverse_deviation * (widened(gradient[j]) * weight[j] - along_one - value * along_value);
    const float kept = d_sum * dropout.factor(j);
    store(gradient[j], d_sum);
    store(branch[j], kept);
    d_branch[j] += kept;
  }
}

}  // namespace

LOCKSTEP_FOR_EACH_ISA NormRow residual_norm_row(float* sum, const float* residual, float* out, const float* weight,
                                                const float* bias, int64_t count, double epsilon,
                                                const RowDropout& dropout) {
  return forward(sum, residual, out, weight, bias, count, epsilon, dropout);
}
LOCKSTEP_FOR_EACH_ISA NormRow residual_norm_row(Bf16* sum, const Bf16* residual, Bf16* out, const float* weight,
                                                const float* bias, int64_t count, double epsilon,
                                                const RowDropout& dropout) {
  return forward(sum, residual, out, weight, bias, count, epsilon, dropout);
}

LOCKSTEP_FOR_EACH_ISA void residual_norm_row_backward(const float* sum, const float* weight, const NormRow& norm,
                                                      float* gradient, float* branch, const NormSums& sums,
                                                      int64_t count, const RowDropout& dropout) {
  backward(sum, weight, norm, gradient, branch, sums, count, dropout);
}
LOCKSTEP_FOR_EACH_ISA void residual_norm_row_backward(const Bf16* sum, const float* weight, const NormRow& norm,
                                                      Bf16* gradient, Bf16* branch, const NormSums& sums, int64_t count,
                                                      const RowDropout& dropout) {
  backward(sum, weight, norm, gradient, branch, sums, count, dropout);
}

}  // namespace lockstep::model
