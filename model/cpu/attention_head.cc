#include "model/cpu/attention_head.h"

#include <algorithm>

#include "model/philox.h"
#include "model/vectorize.h"

namespace lockstep::model {
namespace {

/// Queries whose scores are in work at a time: two matrices of them fit a core's second-level cache at 512 tokens.
constexpr int64_t kBlock = 128;

/// One block of a head's queries.
template <class T>
class Block {
 public:
  Block(const AttentionHead& head, int64_t begin, AttentionScratch& scratch)
      : head_(head), scratch_(scratch), begin_(begin), rows_(std::min(kBlock, head.queries - begin)) {}

  int64_t rows() const { return rows_; }
  ProductShape to_scores() const { return {rows_, head_.length, head_.head_dim}; }
  ProductShape to_rows() const { return {rows_, head_.head_dim, head_.length}; }
  ProductShape to_tokens() const { return {head_.length, head_.head_dim, rows_}; }
  Into into_tokens() const { return begin_ == 0 ? Into::kReplace : Into::kAdd; }

  Rows<float> scores() const { return {scratch_.scores.data(), head_.row_stride}; }
  Rows<float> d_weights() const { return {scratch_.d_weights.data(), head_.row_stride}; }
  Rows<T> weights() const;
  Rows<T> d_scores() const;

  void draw() {
    if (head_.p == 0) return;
    dropout_draws(scratch_.draws.data(), rows_ * head_.row_stride, head_.first_element + begin_ * head_.row_stride,
                  head_.key);
  }
  RowDropout dropout(int64_t i) const {
    return {scratch_.draws.data() + i * head_.row_stride, drop_threshold(head_.p),
            static_cast<float>(1 / (1 - head_.p))};
  }

 private:
  const AttentionHead& head_;
  AttentionScratch& scratch_;
  int64_t begin_, rows_;
};

// In fp32 what a matrix becomes takes its place.
template <>
Rows<float> Block<float>::weights() const {
  return scores();
}
template <>
Rows<float> Block<float>::d_scores() const {
  return d_weights();
}
template <>
Rows<Bf16> Block<Bf16>::weights() const {
  return {scratch_.weights_bf16.data(), head_.row_stride};
}
template <>
Rows<Bf16> Block<Bf16>::d_scores() const {
  return {scratch_.d_scores_bf16.data(), head_.row_stride};
}

template <class T>
void grow(std::vector<T>& memory, int64_t size) {
  if (memory.size() < static_cast<size_t>(size)) memory.resize(static_cast<size_t>(size));
}

LOCKSTEP_FOR_EACH_ISA void round_row(const float* __restrict from, Bf16* __restrict to, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j)
    store(to[j], from[j]);
}

void round_rows(Rows<const float> from, Rows<Bf16> to, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i)
    round_row(from.row(i), to.row(i), columns);
}

/// Where sums that belong into `rows` are made: there, or in `memory` until finish() rounds them.
Rows<float> sums_of(Rows<float> rows, std::vector<float>&, int64_t) {
  return rows;
}
Rows<float> sums_of(Rows<Bf16>, std::vector<float>& memory, int64_t columns) {
  return {memory.data(), columns};
}
void finish(Rows<float>, Rows<float>, int64_t, int64_t) {}
void finish(Rows<float> sums, Rows<Bf16> rows, int64_t count, int64_t columns) {
  round_rows(sums, rows, count, columns);
}

template <class T>
[[gnu::always_inline]] inline float dot(const T* a, const T* b, int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j)
    sum += widened(a[j]) * widened(b[j]);
  return sum;
}
LOCKSTEP_FOR_EACH_ISA float product_of(const float* a, const float* b, int64_t count) {
  return dot(a, b, count);
}
LOCKSTEP_FOR_EACH_ISA float product_of(const Bf16* a, const Bf16* b, int64_t count) {
  return dot(a, b, count);
}

template <class T>
void attend_block(const AttentionHead& head, int64_t begin, const HeadRows<const T>& in, Rows<T> context,
                  SoftmaxRow* softmax, AttentionScratch& scratch) {
  Block<T> block(head, begin, scratch);
  multiply(block.to_scores(), plain(in.query.from(begin)), transposed(in.key), block.scores(), Into::kReplace);
  block.draw();
  for (int64_t i = 0; i < block.rows(); ++i)
    softmax[begin + i] =
        softmax_row(block.scores().row(i), block.weights().row(i), head.length, head.scale, block.dropout(i));
  const Rows<T> out = context.from(begin);
  const Rows<float> sums = sums_of(out, scratch.block, head.head_dim);
  multiply(block.to_rows(), plain(block.weights()), plain(in.value), sums, Into::kReplace);
  finish(sums, out, block.rows(), head.head_dim);
}

/// Of one block: the weights that forward made, and the gradient of its scores.
template <class T>
void softmax_backward(const AttentionHead& head, int64_t begin, const HeadRows<const T>& in, Rows<const T> context,
                      Rows<const T> d_context, const SoftmaxRow* softmax, Block<T>& block) {
  multiply(block.to_scores(), plain(in.query.from(begin)), transposed(in.key), block.scores(), Into::kReplace);
  multiply(block.to_scores(), plain(d_context.from(begin)), transposed(in.value), block.d_weights(), Into::kReplace);
  block.draw();
  for (int64_t i = 0; i < block.rows(); ++i)
    softmax_row_backward(block.scores().row(i), block.d_weights().row(i), block.weights().row(i),
                         block.d_scores().row(i), head.length, head.scale, softmax[begin + i],
                         product_of(context.row(begin + i), d_context.row(begin + i), head.head_dim), block.dropout(i));
}

}  // namespace

template <class T>
void reserve(AttentionScratch& scratch, int64_t longest, int64_t head_dim) {
  const int64_t tokens = (longest + kBlock - 1) / kBlock * kBlock;  // somewhat longer ones come
  for (std::vector<float>* scores : {&scratch.scores, &scratch.d_weights})
    grow(*scores, kBlock * tokens);
  grow(scratch.draws, kBlock * tokens);
  if constexpr (std::is_same_v<T, Bf16>) {
    for (std::vector<Bf16>* rounded : {&scratch.weights_bf16, &scratch.d_scores_bf16})
      grow(*rounded, kBlock * tokens);
    grow(scratch.block, kBlock * head_dim);
    for (std::vector<float>* sums : {&scratch.d_key, &scratch.d_value})
      grow(*sums, tokens * head_dim);
  }
}

template <class T>
void attend(const AttentionHead& head, const HeadRows<const T>& in, Rows<T> context, SoftmaxRow* softmax,
            AttentionScratch& scratch) {
  for (int64_t begin = 0; begin < head.queries; begin += kBlock)
    attend_block(head, begin, in, context, softmax, scratch);
}

template <class T>
void attend_backward(const AttentionHead& head, const HeadRows<const T>& in, Rows<const T> context,
                     Rows<const T> d_context, const SoftmaxRow* softmax, const HeadRows<T>& gradient,
                     AttentionScratch& scratch) {
  const Rows<float> d_key = sums_of(gradient.key, scratch.d_key, head.head_dim);
  const Rows<float> d_value = sums_of(gradient.value, scratch.d_value, head.head_dim);
  for (int64_t begin = 0; begin < head.queries; begin += kBlock) {
    Block<T> block(head, begin, scratch);
    softmax_backward(head, begin, in, context, d_context, softmax, block);
    const Rows<T> out = gradient.query.from(begin);
    const Rows<float> d_query = sums_of(out, scratch.block, head.head_dim);
    multiply(block.to_rows(), plain(block.d_scores()), plain(in.key), d_query, Into::kReplace);
    finish(d_query, out, block.rows(), head.head_dim);
    multiply(block.to_tokens(), transposed(block.d_scores()), plain(in.query.from(begin)), d_key, block.into_tokens());
    multiply(block.to_tokens(), transposed(block.weights()), plain(d_context.from(begin)), d_value,
             block.into_tokens());
  }
  finish(d_key, gradient.key, head.length, head.head_dim);
  finish(d_value, gradient.value, head.length, head.head_dim);
}

template void reserve<float>(AttentionScratch&, int64_t, int64_t);
template void reserve<Bf16>(AttentionScratch&, int64_t, int64_t);
template void attend(const AttentionHead&, const HeadRows<const float>&, Rows<float>, SoftmaxRow*, AttentionScratch&);
template void attend(const AttentionHead&, const HeadRows<const Bf16>&, Rows<Bf16>, SoftmaxRow*, AttentionScratch&);
template void attend_backward(const AttentionHead&, const HeadRows<const float>&, Rows<const float>, Rows<const float>,
                              const SoftmaxRow*, const HeadRows<float>&, AttentionScratch&);
template void attend_backward(const AttentionHead&, const HeadRows<const Bf16>&, Rows<const Bf16>, Rows<const Bf16>,
                              const SoftmaxRow*, const HeadRows<Bf16>&, AttentionScratch&);

}  // namespace lockstep::model
