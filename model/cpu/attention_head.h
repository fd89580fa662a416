#pragma once

#include <cstdint>
#include <vector>

#include "model/cpu/gemm.h"
#include "model/cpu/softmax_row.h"
#include "model/dropout.h"

namespace lockstep::model {

/// One head of one example: its first `queries` tokens ask all `length` of them. Dropout's element of query i, key j is
/// first_element + i * row_stride + j; row_stride is a multiple of 8.
struct AttentionHead {
  int64_t queries = 0, length = 0, head_dim = 0;
  float scale = 1;  // of scores
  DropoutKey key;
  double p = 0;
  int64_t first_element = 0, row_stride = 0;
};

/// The head's columns of the example's rows, or of their gradients.
template <class T>
struct HeadRows {
  Rows<T> query, key, value;
};

/// A thread's memory for blocks of rows, in its core's cache.
struct AttentionScratch {
  std::vector<float> scores, d_weights;  // [block, row_stride]
  std::vector<Bf16> weights_bf16, d_scores_bf16;
  std::vector<float> block, d_key, d_value;  // bf16 only: sums in fp32, [block or length, head_dim]
  std::vector<uint16_t> draws;               // [block, row_stride]
};

/// Makes room, which only grows, for examples of at most `longest` tokens.
template <class T>
void reserve(AttentionScratch& scratch, int64_t longest, int64_t head_dim);

/// context = dropout(softmax(scale * query key^T)) value; `softmax` [queries] is kept for backward.
template <class T>
void attend(const AttentionHead& head, const HeadRows<const T>& in, Rows<T> context, SoftmaxRow* softmax,
            AttentionScratch& scratch);

/// Writes all of `gradient`. `context` and `softmax` as forward left them.
template <class T>
void attend_backward(const AttentionHead& head, const HeadRows<const T>& in, Rows<const T> context,
                     Rows<const T> d_context, const SoftmaxRow* softmax, const HeadRows<T>& gradient,
                     AttentionScratch& scratch);

}  // namespace lockstep::model
