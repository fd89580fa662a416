#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lockstep::model {

/// One step of torch.optim.AdamW, for parameters under one weight decay.
struct AdamWStep {
  double learning_rate = 0, weight_decay = 0;
  double beta1 = 0, beta2 = 0, epsilon = 0;
  int64_t number = 1;  // from 1
  double clip = 1;     // gradient factor
};

/// Its scalars, as torch.optim.AdamW rounds them to the tensors' type.
struct AdamWScalars {
  float clip = 1;             // gradient factor
  float keep = 1;             // 1 - learning rate * weight decay
  float first_weight = 0;     // 1 - beta1
  float second_decay = 0;     // beta2
  float second_weight = 0;    // 1 - beta2
  float root_correction = 1;  // sqrt(1 - beta2^step)
  float epsilon = 0;
  float step_size = 0;  // learning rate / (1 - beta1^step)
};

AdamWScalars scalars_of(const AdamWStep& step);

/// Sum of squares in double, in blocks: the same bits for any number of threads and any instruction set.
double square_sum_on_host(const float* values, int64_t count);

/// One pass: clips, decays, updates p, m and v, and zeroes g. The same bits for any number of threads and any
/// instruction set.
void adamw_update_on_host(float* p, float* g, float* m, float* v, int64_t count, const AdamWScalars& scalars);

/// Parts of p, g, m and v: as many of each, of the same sizes.
struct AdamWParts {
  std::vector<at::Tensor> p, g, m, v;
};
/// The same by LibTorch's fused AdamW, which on a GPU is one kernel that reads and writes each element once, and a
/// second pass for the zeros. Nothing waits for it.
void adamw_update_on_device(const AdamWParts& parts, const AdamWStep& step);

}  // namespace lockstep::model
