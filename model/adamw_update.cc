#include "model/adamw_update.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>
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

AdamWScalars scalars_of(const AdamWStep& step) {
  const auto t = static_cast<double>(step.number);
  return {.clip = static_cast<float>(step.clip),
          .keep = static_cast<float>(1 - step.learning_rate * step.weight_decay),
          .first_weight = static_cast<float>(1 - step.beta1),
          .second_decay = static_cast<float>(step.beta2),
          .second_weight = static_cast<float>(1 - step.beta2),
          .root_correction = static_cast<float>(std::sqrt(1 - std::pow(step.beta2, t))),
          .epsilon = static_cast<float>(step.epsilon),
          .step_size = static_cast<float>(step.learning_rate / (1 - std::pow(step.beta1, t)))};
}

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

void adamw_update_on_device(const AdamWParts& parts, const AdamWStep& step) {
  if (parts.p.empty()) return;
  const at::TensorOptions options = parts.p[0].options();
  const auto number = at::full({}, static_cast<double>(step.number), options);  // filled there: no copy from the host
  const std::vector<at::Tensor> numbers(parts.p.size(), number);
  std::optional<at::Tensor> divisor;
  if (step.clip != 1) divisor = at::full({}, 1 / step.clip, options);
  at::_fused_adamw_(parts.p, parts.g, parts.m, parts.v, {}, numbers, step.learning_rate, step.beta1, step.beta2,
                    step.weight_decay, step.epsilon, /*amsgrad=*/false, /*maximize=*/false, divisor);
  at::_foreach_zero_(parts.g);
}

}  // namespace lockstep::model
