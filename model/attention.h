#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

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
  Attention(int64_t heads, int64_t head_dim);
  ~Attention();

  /// `softmax`: what the host keeps for backward, made to fit.
  void forward(const Projections& in, const AttentionRows& rows, const DropoutPlace& place, const at::Tensor& context,
               at::Tensor& softmax);
  /// `context` and `softmax` as forward left them. Writes all of `gradient`.
  void backward(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                const at::Tensor& softmax, const AttentionRows& rows, const DropoutPlace& place,
                const Projections& gradient);

  /// The two ways of doing it: one task per sequence and head, by blocks of queries whose scores stay in a core's
  /// cache; and plain tensor operations, for devices.
  void forward_on_host(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                       const at::Tensor& context, at::Tensor& softmax);
  void backward_on_host(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                        const at::Tensor& softmax, const AttentionRows& rows, const DropoutPlace& place,
                        const Projections& gradient);
  void forward_on_device(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                         const at::Tensor& context) const;
  void backward_on_device(const Projections& in, const at::Tensor& context_gradient, const AttentionRows& rows,
                          const DropoutPlace& place, const Projections& gradient) const;

  static int64_t row_stride(int64_t length) { return (length + 7) / 8 * 8; }

 private:
  struct Scratch;
  float scale() const;
  template <class T, class Work>
  void for_each_head(const AttentionRows& rows, const DropoutPlace& place, Work work);
  template <class T>
  void forward_in(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                  const at::Tensor& context, const at::Tensor& softmax);
  template <class T>
  void backward_in(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                   const at::Tensor& softmax, const AttentionRows& rows, const DropoutPlace& place,
                   const Projections& gradient);
  std::vector<at::Tensor> masks_on_device(const AttentionRows& rows, const DropoutPlace& place,
                                          at::Device device) const;

  int64_t heads_;
  int64_t head_dim_;
  std::unique_ptr<Scratch> scratch_;  // of the host's threads
};

}  // namespace lockstep::model
