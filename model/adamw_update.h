#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lockstep::model {

/// One step's scalars, as torch.optim.AdamW rounds them to the tensors' type.
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

/// Sum of squares in double, in blocks: the same bits for any number of threads and any instruction set.
double square_sum_on_host(const float* values, int64_t count);

/// One pass: clips, decays, updates p, m and v, and zeroes g. The same bits for any number of threads and any
/// instruction set.
void adamw_update_on_host(float* p, float* g, float* m, float* v, int64_t count, const AdamWScalars& scalars);

/// The same by tensor operations.
void adamw_update_on_device(at::Tensor p, at::Tensor g, at::Tensor m, at::Tensor v, const AdamWScalars& scalars);

}  // namespace lockstep::model
