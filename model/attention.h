#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

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

/// What attention keeps from forward for backward; its tensors are made to fit.
struct AttentionState {
  at::Tensor softmax;       // statistics of each row of scores; nothing for plain tensor operations
  at::Tensor seed, offset;  // of the fused kernels' dropout
};

/// How devices do it. The host has kernels of its own.
enum class DeviceAttention {
  kPlain,  // tensor operations, sequence by sequence, with this program's masks
  /// LibTorch's kernels over all sequences at once, in the GPU's registers, with masks of their own (below). In fp32
  /// without dropout only: there, LibTorch 2.11's backward does not find forward's mask.
  kFused
};

/// Multi-head self-attention of packed sequences: softmax(q k^T / sqrt(head_dim)), dropout, times v, for Q queries
/// among T tokens in all. Nothing of size length x length outlives a sequence: backward computes the probabilities
/// again. Projections and context [Q, dim] are of one type, fp32 or bf16. Scores and softmax are fp32 in either case.
/// A mask's element of head h, query i, key j of an example of L tokens is (h * L + i) * S + j, S = L rounded up to a
/// multiple of 8, so that every row starts at a counter of its own. Masks of fused kernels are a function of (seed,
/// step, layer, the micro-batch's example ids in their order) alone: the same again where the same examples meet, but
/// others where another number of ranks shares them out.
class Attention {
 public:
  Attention(int64_t heads, int64_t head_dim, DeviceAttention on_device = DeviceAttention::kPlain);
  ~Attention();

  void forward(const Projections& in, const AttentionRows& rows, const DropoutPlace& place, const at::Tensor& context,
               AttentionState& state);
  /// `context` and `state` as forward left them. Writes all of `gradient`.
  void backward(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                const AttentionState& state, const AttentionRows& rows, const DropoutPlace& place,
                const Projections& gradient);

  /// The ways of doing it: one task per sequence and head, by blocks of queries whose scores stay in a core's cache;
  /// plain tensor operations, for devices; and a GPU's fused kernels.
  void forward_on_host(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                       const at::Tensor& context, AttentionState& state);
  void backward_on_host(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                        const AttentionState& state, const AttentionRows& rows, const DropoutPlace& place,
                        const Projections& gradient);
  void forward_on_device(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                         const at::Tensor& context) const;
  void backward_on_device(const Projections& in, const at::Tensor& context_gradient, const AttentionRows& rows,
                          const DropoutPlace& place, const Projections& gradient) const;
  void forward_fused(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                     const at::Tensor& context, AttentionState& state) const;
  void backward_fused(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                      const AttentionState& state, const AttentionRows& rows, const DropoutPlace& place,
                      const Projections& gradient) const;

  static int64_t row_stride(int64_t length) { return (length + 7) / 8 * 8; }

 private:
  struct Scratch;
  float scale() const;
  bool fuses(at::ScalarType type, const DropoutPlace& place) const;
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
  DeviceAttention on_device_;
  std::unique_ptr<Scratch> scratch_;  // of the host's threads
};

/// Why the fused kernels are not to be used for such heads on this device, in this type; "" if they are. Tries them
/// there, on a few short sequences, against plain tensor operations. Waits for the device. Throws what a GPU that has
/// failed throws.
std::string problem_with_fused_attention(at::Device device, at::ScalarType type, int64_t heads, int64_t head_dim);

}  // namespace lockstep::model
