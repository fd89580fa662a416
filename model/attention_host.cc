#include <ATen/ATen.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "model/attention.h"
#include "model/attention_rows.h"

namespace lockstep::model {

/// One head of one sequence.
struct Attention::Task {
  int64_t example_id = 0;
  int64_t begin = 0;   // first token's row
  int64_t length = 0;  // tokens
  int64_t stride = 0;  // floats from one row of probabilities to the next
  int64_t head = 0;
  int64_t head_dim = 0;

  int64_t first_element() const { return head * length * stride; }
  /// [length, head_dim] of the head's columns in the `part`-th [T, dim] of `rows`.
  at::Tensor of(const at::Tensor& rows, int64_t part, int64_t dim) const {
    const int64_t row = rows.stride(0);
    return rows.as_strided({length, head_dim}, {row, 1}, begin * row + part * dim + head * head_dim);
  }
  /// A [length, length] matrix with padded rows in this thread's scratch.
  at::Tensor scratch(const at::Tensor& buffers, int64_t index) const {
    const int64_t offset = omp_get_thread_num() * buffers.stride(0) + index * buffers.stride(1);
    return buffers.as_strided({length, length}, {stride, 1}, offset);
  }
};

Attention::Task Attention::task(const Examples& examples, int64_t index) const {
  const int64_t i = index / heads_;
  const int64_t length = examples.length(i);
  return {examples.ids.empty() ? 0 : examples.ids[i],
          examples.begin(i),
          length,
          row_stride(length),
          index % heads_,
          head_dim_};
}

void Attention::reserve_scratch(const Examples& examples) {
  const int64_t longest = examples.longest();
  const int64_t needed = longest * row_stride(longest);
  const int64_t threads = omp_get_max_threads();
  if (!scratch_.defined() || scratch_.size(0) < threads || scratch_.size(2) < needed)
    scratch_ = at::empty({threads, 3, needed}, at::kFloat);
}

void Attention::forward_on_host(const at::Tensor& qkv, const Examples& examples, const DropoutPlace& place,
                                const at::Tensor& context) {
  reserve_scratch(examples);
#pragma omp parallel for schedule(dynamic)
  for (int64_t index = 0; index < examples.count() * heads_; ++index)
    forward_task(task(examples, index), qkv, place, context);
}

void Attention::backward_on_host(const at::Tensor& qkv, const at::Tensor& context, const at::Tensor& context_gradient,
                                 const Examples& examples, const DropoutPlace& place, const at::Tensor& qkv_gradient) {
  reserve_scratch(examples);
#pragma omp parallel for schedule(dynamic)
  for (int64_t index = 0; index < examples.count() * heads_; ++index)
    backward_task(task(examples, index), qkv, context, context_gradient, place, qkv_gradient);
}

void Attention::forward_task(const Task& task, const at::Tensor& qkv, const DropoutPlace& place,
                             const at::Tensor& context) {
  at::Tensor weights = task.scratch(scratch_, 0);
  at::mm_out(weights, task.of(qkv, 0, dim()), task.of(qkv, 1, dim()).t());
  auto* values = weights.mutable_data_ptr<float>();
  softmax_rows(values, task.length, task.stride, scale());
  apply_dropout(values, task.length * task.stride, task.first_element(), place.of(task.example_id), place.p);
  at::Tensor out = task.of(context, 0, dim());
  at::mm_out(out, weights, task.of(qkv, 2, dim()));
}

void Attention::backward_task(const Task& task, const at::Tensor& qkv, const at::Tensor& context,
                              const at::Tensor& context_gradient, const DropoutPlace& place,
                              const at::Tensor& qkv_gradient) {
  const at::Tensor query = task.of(qkv, 0, dim());
  const at::Tensor key = task.of(qkv, 1, dim());
  const at::Tensor d_out = task.of(context_gradient, 0, dim());
  at::Tensor probabilities = task.scratch(scratch_, 0);
  at::Tensor dropped = task.scratch(scratch_, 1);
  at::Tensor gradient = task.scratch(scratch_, 2);

  at::mm_out(probabilities, query, key.t());
  softmax_rows(probabilities.mutable_data_ptr<float>(), task.length, task.stride, scale());
  auto* mask = dropped.mutable_data_ptr<float>();
  const int64_t elements = task.length * task.stride;
  std::fill_n(mask, elements, 1.0F);
  apply_dropout(mask, elements, task.first_element(), place.of(task.example_id), place.p);
  at::mm_out(gradient, d_out, task.of(qkv, 2, dim()).t());
  const at::Tensor deltas = (d_out * task.of(context, 0, dim())).sum(1);
  attention_gradient_rows(probabilities.const_data_ptr<float>(), mask, gradient.mutable_data_ptr<float>(),
                          deltas.const_data_ptr<float>(), task.length, task.stride, scale());

  at::Tensor d_query = task.of(qkv_gradient, 0, dim());
  at::Tensor d_key = task.of(qkv_gradient, 1, dim());
  at::Tensor d_value = task.of(qkv_gradient, 2, dim());
  at::mm_out(d_query, gradient, key);
  at::mm_out(d_key, gradient.t(), query);
  at::mm_out(d_value, dropped.t(), d_out);
}

}  // namespace lockstep::model
