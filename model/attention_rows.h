#pragma once

#include <cstdint>

namespace lockstep::model {

/// Row kernels of attention on the host, on `count` rows of `length`. Rows are `stride` floats apart; columns beyond
/// `length` are set to zero.

/// rows[i] = softmax(scale * rows[i]).
void softmax_rows(float* rows, int64_t count, int64_t length, int64_t stride, float scale);

/// Softmax's backward through dropout. On entry `mask` holds each probability's dropout factor (0 or 1 / (1 - p)),
/// `gradient` that of the dropped probabilities, `deltas` each row's context . d(context). On return `mask` holds the
/// dropped probabilities and `gradient` that of the raw scores.
void attention_gradient_rows(const float* probabilities, float* mask, float* gradient, const float* deltas,
                             int64_t count, int64_t length, int64_t stride, float scale);

}  // namespace lockstep::model
