#pragma once

#include <ATen/core/Tensor.h>

#include "model/packed_tensors.h"

namespace lockstep::model {

/// What meets in attention, or its gradients. Columns are heads * head_dim; rows may be parts of wider ones.
struct Projections {
  at::Tensor query;       // [Q, dim]
  at::Tensor key, value;  // [T, dim]
};

/// Who asks and who answers: of each example its first `queries.length(i)` tokens, and all its tokens.
struct AttentionRows {
  Examples queries, tokens;
};

/// Multi-head self-attention of packed sequences: softmax(q k^T / sqrt(head_dim)), dropout, times v, for Q queries
/// among T tokens in all. Nothing of size length x length outlives a sequence: backward computes the probabilities
/// again. Projections and context [Q, dim] are of one type, fp32 or bf16. Scores and softmax are fp32 in either case.
/// A mask's element of head h, query i, key j of an example of L tokens is (h * L + i) * S + j, S = L rounded up to a
/// multiple of 8, so that every row starts at a counter of its own.
class Attention {
 public:
  Attention(int64_t heads, int64_t head_dim) : heads_(heads), head_dim_(head_dim) {}

  void forward(const Projections& in, const AttentionRows& rows, const DropoutPlace& place, const at::Tensor& context);
  /// `context` as forward left it. Writes all of `gradient`.
  void backward(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                const AttentionRows& rows, const DropoutPlace& place, const Projections& gradient);

  /// The two ways of doing it: one task per sequence and head within a core's cache (fp32), and plain tensor operations
  /// for devices.
  void forward_on_host(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                       const at::Tensor& context);
  void backward_on_host(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                        const AttentionRows& rows, const DropoutPlace& place, const Projections& gradient);
  void forward_on_device(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                         const at::Tensor& context) const;
  void backward_on_device(const Projections& in, const at::Tensor& context_gradient, const AttentionRows& rows,
                          const DropoutPlace& place, const Projections& gradient) const;

  static int64_t row_stride(int64_t length) { return (length + 7) / 8 * 8; }

 private:
  struct Task;
  float scale() const;
  void reserve_scratch(const AttentionRows& rows);
  Task task(const AttentionRows& rows, int64_t index) const;
  void forward_task(const Task& task, const Projections& in, const DropoutPlace& place, const at::Tensor& context);
  void backward_task(const Task& task, const Projections& in, const at::Tensor& context,
                     const at::Tensor& context_gradient, const DropoutPlace& place, const Projections& gradient);
  std::vector<at::Tensor> masks_on_device(const AttentionRows& rows, const DropoutPlace& place,
                                          at::Device device) const;

  int64_t heads_;
  int64_t head_dim_;
  at::Tensor scratch_;  // host: [threads, 3, longest * stride]; only grows
};

}  // namespace lockstep::model
