#pragma once

#include <cstdint>

#include "model/cpu/bfloat16.h"
#include "model/cpu/row_dropout.h"

namespace lockstep::model {

/// What LayerNorm keeps of a row.
struct NormRow {
  float mean = 0, inverse_deviation = 0;
};

/// sum = dropout(sum) + residual; out = LayerNorm(sum) * weight + bias.
NormRow residual_norm_row(float* sum, const float* residual, float* out, const float* weight, const float* bias,
                          int64_t count, double epsilon, const RowDropout& dropout);
NormRow residual_norm_row(Bf16* sum, const Bf16* residual, Bf16* out, const float* weight, const float* bias,
                          int64_t count, double epsilon, const RowDropout& dropout);

/// What rows add up to over a batch, [count] each.
struct NormSums {
  float *d_weight, *d_bias;
  float* d_branch;
};

/// `gradient`, of `out`, becomes that of `sum`; branch = dropout(gradient), which may be the same memory if nothing is
/// dropped; adds to `sums`.
void residual_norm_row_backward(const float* sum, const float* weight, const NormRow& norm, float* gradient,
                                float* branch, const NormSums& sums, int64_t count, const RowDropout& dropout);
void residual_norm_row_backward(const Bf16* sum, const float* weight, const NormRow& norm, Bf16* gradient, Bf16* branch,
                                const NormSums& sums, int64_t count, const RowDropout& dropout);

}  // namespace lockstep::model
