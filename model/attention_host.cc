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
  int64_t first_query = 0, queries = 0;  // rows of query and context
  int64_t first_token = 0, length = 0;   // rows of key and value
  int64_t stride = 0;                    // floats from one row of probabilities to the next
  int64_t head = 0;
  int64_t head_dim = 0;

  int64_t first_element() const { return head * length * stride; }
  at::Tensor of_queries(const at::Tensor& rows) const { return part(rows, first_query, queries); }
  at::Tensor of_tokens(const at::Tensor& rows) const { return part(rows, first_token, length); }
  /// The head's columns.
  at::Tensor part(const at::Tensor& rows, int64_t first, int64_t count) const {
    return rows.narrow(0, first, count).narrow(1, head * head_dim, head_dim);
  }
  /// A [queries, length] matrix with padded rows in this thread's scratch.
  at::Tensor scratch(const at::Tensor& buffers, int64_t index) const {
    const int64_t offset = omp_get_thread_num() * buffers.stride(0) + index * buffers.stride(1);
    return buffers.as_strided({queries, length}, {stride, 1}, offset);
  }
};

Attention::Task Attention::task(const AttentionRows& rows, int64_t index) const {
  const int64_t i = index / heads_;
  const int64_t length = rows.tokens.length(i);
  return {rows.tokens.ids.empty() ? 0 : rows.tokens.ids[i],
          rows.queries.begin(i),
          rows.queries.length(i),
          rows.tokens.begin(i),
          length,
          row_stride(length),
          index % heads_,
          head_dim_};
}

void Attention::reserve_scratch(const AttentionRows& rows) {
  const int64_t needed = rows.queries.longest() * row_stride(rows.tokens.longest());
  const int64_t threads = omp_get_max_threads();
  if (!scratch_.defined() || scratch_.size(0) < threads || scratch_.size(2) < needed)
    scratch_ = at::empty({threads, 3, needed}, at::kFloat);
}

void Attention::forward_on_host(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                                const at::Tensor& context) {
  reserve_scratch(rows);
#pragma omp parallel for schedule(dynamic)
  for (int64_t index = 0; index < rows.tokens.count() * heads_; ++index)
    forward_task(task(rows, index), in, place, context);
}

void Attention::backward_on_host(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                                 const AttentionRows& rows, const DropoutPlace& place, const Projections& gradient) {
  reserve_scratch(rows);
#pragma omp parallel for schedule(dynamic)
  for (int64_t index = 0; index < rows.tokens.count() * heads_; ++index)
    backward_task(task(rows, index), in, context, context_gradient, place, gradient);
}

void Attention::forward_task(const Task& task, const Projections& in, const DropoutPlace& place,
                             const at::Tensor& context) {
  at::Tensor weights = task.scratch(scratch_, 0);
  at::mm_out(weights, task.of_queries(in.query), task.of_tokens(in.key).t());
  auto* values = weights.mutable_data_ptr<float>();
  softmax_rows(values, task.queries, task.length, task.stride, scale());
  apply_dropout(values, task.queries * task.stride, task.first_element(), place.of(task.example_id), place.p);
  at::Tensor out = task.of_queries(context);
  at::mm_out(out, weights, task.of_tokens(in.value));
}

void Attention::backward_task(const Task& task, const Projections& in, const at::Tensor& context,
                              const at::Tensor& context_gradient, const DropoutPlace& place,
                              const Projections& gradient) {
  const at::Tensor query = task.of_queries(in.query);
  const at::Tensor key = task.of_tokens(in.key);
  const at::Tensor d_out = task.of_queries(context_gradient);
  at::Tensor probabilities = task.scratch(scratch_, 0);
  at::Tensor dropped = task.scratch(scratch_, 1);
  at::Tensor d_scores = task.scratch(scratch_, 2);

  at::mm_out(probabilities, query, key.t());
  softmax_rows(probabilities.mutable_data_ptr<float>(), task.queries, task.length, task.stride, scale());
  auto* mask = dropped.mutable_data_ptr<float>();
  const int64_t elements = task.queries * task.stride;
  std::fill_n(mask, elements, 1.0F);
  apply_dropout(mask, elements, task.first_element(), place.of(task.example_id), place.p);
  at::mm_out(d_scores, d_out, task.of_tokens(in.value).t());
  const at::Tensor deltas = (d_out * task.of_queries(context)).sum(1);
  attention_gradient_rows(probabilities.const_data_ptr<float>(), mask, d_scores.mutable_data_ptr<float>(),
                          deltas.const_data_ptr<float>(), task.queries, task.length, task.stride, scale());

  at::Tensor d_query = task.of_queries(gradient.query);
  at::Tensor d_key = task.of_tokens(gradient.key);
  at::Tensor d_value = task.of_tokens(gradient.value);
  at::mm_out(d_query, d_scores, key);
  at::mm_out(d_key, d_scores.t(), query);
  at::mm_out(d_value, dropped.t(), d_out);
}

}  // namespace lockstep::model
