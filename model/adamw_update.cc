#include "model/adamw_update.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/vectorize.h"

namespace lockstep::model {
namespace {

constexpr int64_t kBlock = 1 << 15;  // elements: four vectors of it stay in a core's cache

/// Sixteen sums side by side, whatever the machine's vector length.
LOCKSTEP_FOR_EACH_ISA double block_square_sum(const float* values, int64_t count) {
  constexpr int64_t kSums = 16;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (int64_t j = 0; j < kSums; ++j)
      sums[j] += static_cast<double>(values[i + j]) * static_cast<double>(values[i + j]);
  double total = 0;
  for (; i < count; ++i)
    total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  for (const double sum : sums)
    total += sum;
  return total;
}

LOCKSTEP_FOR_EACH_ISA void update_block(float* __restrict p, float* __restrict g, float* __restrict m,
                                        float* __restrict v, int64_t count, const AdamWScalars& scalars) {
  const AdamWScalars s = scalars;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = g[i] * s.clip;
    const float first = m[i] + s.first_weight * (gradient - m[i]);
    const float second = v[i] * s.second_decay + s.second_weight * gradient * gradient;
    const float denominator = std::sqrt(second) / s.root_correction + s.epsilon;
    p[i] = p[i] * s.keep - s.step_size * (first / denominator);
    m[i] = first;
    v[i] = second;
    g[i] = 0;
  }
}

}  // namespace

double square_sum_on_host(const float* values, int64_t count) {
  std::vector<double> sums(static_cast<size_t>((count + kBlock - 1) / kBlock));
#pragma omp parallel for
  for (int64_t block = 0; block < static_cast<int64_t>(sums.size()); ++block)
    sums[block] = block_square_sum(values + block * kBlock, std::min(kBlock, count - block * kBlock));
  double total = 0;
  for (const double sum : sums)
    total += sum;
  return total;
}

void adamw_update_on_host(float* p, float* g, float* m, float* v, int64_t count, const AdamWScalars& scalars) {
#pragma omp parallel for
  for (int64_t i = 0; i < count; i += kBlock)
    update_block(p + i, g + i, m + i, v + i, std::min(kBlock, count - i), scalars);
}

void adamw_update_on_device(at::Tensor p, at::Tensor g, at::Tensor m, at::Tensor v, const AdamWScalars& scalars) {
  g.mul_(scalars.clip);
  p.mul_(scalars.keep);
  m.lerp_(g, scalars.first_weight);
  v.mul_(scalars.second_decay).addcmul_(g, g, scalars.second_weight);
  p.addcdiv_(m, v.sqrt().div_(scalars.root_correction).add_(scalars.epsilon), -scalars.step_size);
  g.zero_();
}

}  // namespace lockstep::model
