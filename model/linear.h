#pragma once

#include <ATen/core/Tensor.h>

namespace lockstep::model {

/// Views of one layer's part of the flat parameters (or of their bf16 copy) and of the flat gradients, which are fp32.
struct Linear {
  at::Tensor weight, bias;  // [out, in], [out]; in the type of the activations that they meet
  at::Tensor weight_gradient, bias_gradient;
};

// Rows are matrices of the same type as the weights. `out` and `input_gradient` of the first two are buffers that
// fit() sizes; what lies beyond their last row may be overwritten, and that of the inputs zeroed, up to kRowStep.

/// out = input W^T + b
void apply(const Linear& linear, const at::Tensor& input, at::Tensor& out);
/// input_gradient = out_gradient W
void apply_transposed(const Linear& linear, const at::Tensor& out_gradient, at::Tensor& input_gradient);
/// input_gradient += out_gradient W
void add_transposed(const Linear& linear, const at::Tensor& out_gradient, const at::Tensor& input_gradient);

/// Adds the weight's gradient; products of bf16 are summed and kept in fp32. The input's gradient is one of the above,
/// which callers put where they need it.
void add_weight_gradient(const Linear& linear, const at::Tensor& input, const at::Tensor& out_gradient);
/// And the bias'.
void add_gradients(const Linear& linear, const at::Tensor& input, const at::Tensor& out_gradient);

}  // namespace lockstep::model
