#pragma once

#include <ATen/core/Tensor.h>

#include "model/packed_tensors.h"

namespace lockstep::model {

/// Multi-head self-attention of packed sequences: softmax(q k^T / sqrt(head_dim)), dropout, times v. Nothing of size
/// length x length outlives a sequence: backward computes the probabilities again. Shapes, with T tokens in all:
///   qkv [T, 3 * dim]: a token's queries of all heads, then its keys, then its values; context [T, dim].
/// All of one type, fp32 or bf16. Scores and softmax are fp32 in either case.
/// A mask's element of head h, query i, key j of an example of L tokens is (h * L + i) * S + j, S = L rounded up to a
/// multiple of 8, so that every row starts at a counter of its own.
class Attention {
 public:
  Attention(int64_t heads, int64_t head_dim) : heads_(heads), head_dim_(head_dim) {}

  void forward(const at::Tensor& qkv, const Examples& examples, const DropoutPlace& place, const at::Tensor& context);
  /// `context` as forward left it. Writes all of qkv_gradient.
  void backward(const at::Tensor& qkv, const at::Tensor& context, const at::Tensor& context_gradient,
                const Examples& examples, const DropoutPlace& place, const at::Tensor& qkv_gradient);

  /// The two ways of doing it: one task per sequence and head within a core's cache (fp32), and plain tensor operations
  /// for devices.
  void forward_on_host(const at::Tensor& qkv, const Examples& examples, const DropoutPlace& place,
                       const at::Tensor& context);
  void backward_on_host(const at::Tensor& qkv, const at::Tensor& context, const at::Tensor& context_gradient,
                        const Examples& examples, const DropoutPlace& place, const at::Tensor& qkv_gradient);
  void forward_on_device(const at::Tensor& qkv, const Examples& examples, const DropoutPlace& place,
                         const at::Tensor& context) const;
  void backward_on_device(const at::Tensor& qkv, const at::Tensor& context_gradient, const Examples& examples,
                          const DropoutPlace& place, const at::Tensor& qkv_gradient) const;

  static int64_t row_stride(int64_t length) { return (length + 7) / 8 * 8; }

 private:
  struct Task;
  float scale() const;
  int64_t dim() const { return heads_ * head_dim_; }
  void reserve_scratch(const Examples& examples);
  Task task(const Examples& examples, int64_t index) const;
  void forward_task(const Task& task, const at::Tensor& qkv, const DropoutPlace& place, const at::Tensor& context);
  void backward_task(const Task& task, const at::Tensor& qkv, const at::Tensor& context,
                     const at::Tensor& context_gradient, const DropoutPlace& place, const at::Tensor& qkv_gradient);
  std::vector<at::Tensor> masks_on_device(const Examples& examples, const DropoutPlace& place, at::Device device) const;

  int64_t heads_;
  int64_t head_dim_;
  at::Tensor scratch_;  // host: [threads, 3, longest * stride]; only grows
};

}  // namespace lockstep::model
