#pragma once

#include <cstdint>

#include "model/cpu/bfloat16.h"
#include "model/cpu/row_dropout.h"

namespace lockstep::model {

/// What softmax keeps of a row of scores s: weights are exp(scale * (s - largest)) * inverse_sum.
struct SoftmaxRow {
  float largest = 0, inverse_sum = 0;
};

/// weights = dropout(softmax(scale * scores)). Overwrites `scores`; `weights` may be the same memory.
SoftmaxRow softmax_row(float* scores, float* weights, int64_t length, float scale, const RowDropout& dropout);
SoftmaxRow softmax_row(float* scores, Bf16* weights, int64_t length, float scale, const RowDropout& dropout);

/// Makes of scores and of the gradient of the dropped weights: these weights again, and the gradient of the raw scores.
/// `delta`: context . d(context) of the row. Outputs may be the inputs' memory.
void softmax_row_backward(const float* scores, const float* d_weights, float* weights, float* d_scores, int64_t length,
                          float scale, const SoftmaxRow& softmax, float delta, const RowDropout& dropout);
void softmax_row_backward(const float* scores, const float* d_weights, Bf16* weights, Bf16* d_scores, int64_t length,
                          float scale, const SoftmaxRow& softmax, float delta, const RowDropout& dropout);

}  // namespace lockstep::model
