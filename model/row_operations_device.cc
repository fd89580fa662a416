#include <ATen/ATen.h>

#include "model/row_operations.h"

namespace lockstep::model {

void residual_norm(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask, at::Tensor& out) {
  (residual.is_cpu() ? residual_norm_on_host : residual_norm_on_device)(norm, state, residual, mask, out);
}
void residual_norm_backward(const Norm& norm, const NormState& state, const Mask& mask, at::Tensor& gradient,
                            at::Tensor& branch, const at::Tensor& branch_sums) {
  (gradient.is_cpu() ? residual_norm_backward_on_host : residual_norm_backward_on_device)(norm, state, mask, gradient,
                                                                                          branch, branch_sums);
}
void activate(Activation activation, const at::Tensor& hidden, at::Tensor& out) {
  (hidden.is_cpu() ? activate_on_host : activate_on_device)(activation, hidden, out);
}
void activate_backward(Activation activation, const at::Tensor& hidden, at::Tensor& gradient, at::Tensor& out,
                       const at::Tensor& sums) {
  (hidden.is_cpu() ? activate_backward_on_host : activate_backward_on_device)(activation, hidden, gradient, out, sums);
}
void add_column_sums(const at::Tensor& rows, const at::Tensor& sums) {
  (rows.is_cpu() ? add_column_sums_on_host : add_column_sums_on_device)(rows, sums);
}
void add_rows(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows) {
  (table.is_cpu() ? add_rows_on_host : add_rows_on_device)(table, ids, rows);
}

void residual_norm_on_device(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask,
                             at::Tensor& out) {
  drop_rows(state.input, mask.examples, mask.place);
  state.input.add_(residual);
  std::tie(out, state.mean, state.inverse_deviation) = at::native_layer_norm(
      state.input.to(at::kFloat), {state.input.size(1)}, norm.weight, norm.bias, kLayerNormEpsilon);
  out = out.to(state.input.scalar_type());
}

void residual_norm_backward_on_device(const Norm& norm, const NormState& state, const Mask& mask, at::Tensor& gradient,
                                      at::Tensor& branch, const at::Tensor& branch_sums) {
  auto [input, weight, bias] =
      at::native_layer_norm_backward(gradient.to(at::kFloat), state.input.to(at::kFloat), {state.input.size(1)},
                                     state.mean, state.inverse_deviation, norm.weight, norm.bias, {true, true, true});
  norm.weight_gradient.add_(weight);
  norm.bias_gradient.add_(bias);
  gradient.copy_(input);
  if (!branch.is_same(gradient)) fit(branch, gradient.size(0), gradient.size(1), gradient).copy_(gradient);
  drop_rows(branch, mask.examples, mask.place);
  if (branch_sums.defined()) add_column_sums_on_device(branch, branch_sums);
}

void activate_on_device(Activation activation, const at::Tensor& hidden, at::Tensor& out) {
  fit(out, hidden.size(0), hidden.size(1), hidden);
  if (activation == Activation::kRelu) {
    at::clamp_min_out(out, hidden, 0);
  } else {
    at::gelu_out(out, hidden);
  }
}

void activate_backward_on_device(Activation activation, const at::Tensor& hidden, at::Tensor& gradient, at::Tensor& out,
                                 const at::Tensor& sums) {
  activate_on_device(activation, hidden, out);
  if (activation == Activation::kRelu) {
    at::threshold_backward_out(gradient, gradient, hidden, 0);
  } else {
    at::gelu_backward_out(gradient, gradient, hidden);
  }
  add_column_sums(gradient, sums);
}

void add_column_sums_on_device(const at::Tensor& rows, const at::Tensor& sums) {
  sums.add_(rows.sum(at::IntArrayRef{0}, false, at::kFloat));
}

void add_rows_on_device(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows) {
  // "Unsafe": without looking on the device whether all ids are rows of the table, which is known by now.
  at::Tensor to = table;
  at::_index_put_impl_(to, {ids}, rows, /*accumulate=*/true, /*unsafe=*/true);
}

}  // namespace lockstep::model
