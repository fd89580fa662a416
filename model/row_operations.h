#pragma once

#include <ATen/core/Tensor.h>

#include "model/config.h"
#include "model/packed_tensors.h"

namespace lockstep::model {

/// LayerNorm's parameters, [dim] each, and their gradients; fp32.
struct Norm {
  at::Tensor weight, bias;
  at::Tensor weight_gradient, bias_gradient;
};

/// What a LayerNorm keeps for backward: its input [rows, dim] and the input's statistics, [rows] each, fp32.
struct NormState {
  at::Tensor input, mean, inverse_deviation;
};

/// Dropout of rows that belong to examples; place.p = 0: none.
struct Mask {
  Examples examples;
  DropoutPlace place;
};

/// What a layer does row by row, between its products. Rows are fp32 or bf16, and computed with in fp32; outputs are
/// made to fit. On the host these are kernels of our own, one pass over the rows each and nothing allocated; on devices
/// plain tensor operations, which the tests hold the kernels to.

/// state.input = dropout(state.input) + residual; out = LayerNorm(state.input).
void residual_norm(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask, at::Tensor& out);
/// `gradient`, of residual_norm's out, becomes that of state.input, which is the residual's too; branch =
/// dropout(gradient), and may be `gradient` itself if nothing is dropped. Adds to the norm's gradients, and branch's
/// sum over rows to `branch_sums` [dim], if defined: the gradient of the bias of what was dropped.
void residual_norm_backward(const Norm& norm, const NormState& state, const Mask& mask, at::Tensor& gradient,
                            at::Tensor& branch, const at::Tensor& branch_sums);

void activate(Activation activation, const at::Tensor& hidden, at::Tensor& out);
/// `gradient`, of activate()'s out, becomes that of `hidden`; its sum over rows is added to `sums`. Makes `out` again.
void activate_backward(Activation activation, const at::Tensor& hidden, at::Tensor& gradient, at::Tensor& out,
                       const at::Tensor& sums);

/// sums [columns] += the sum over rows.
void add_column_sums(const at::Tensor& rows, const at::Tensor& sums);
/// table[ids[i]] += rows[i], fp32, in an order that does not change from run to run.
void add_rows(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows);

void residual_norm_on_host(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask,
                           at::Tensor& out);
void residual_norm_backward_on_host(const Norm& norm, const NormState& state, const Mask& mask, at::Tensor& gradient,
                                    at::Tensor& branch, const at::Tensor& branch_sums);
void activate_on_host(Activation activation, const at::Tensor& hidden, at::Tensor& out);
void activate_backward_on_host(Activation activation, const at::Tensor& hidden, at::Tensor& gradient, at::Tensor& out,
                               const at::Tensor& sums);
void add_column_sums_on_host(const at::Tensor& rows, const at::Tensor& sums);
void add_rows_on_host(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows);

void residual_norm_on_device(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask,
                             at::Tensor& out);
void residual_norm_backward_on_device(const Norm& norm, const NormState& state, const Mask& mask, at::Tensor& gradient,
                                      at::Tensor& branch, const at::Tensor& branch_sums);
void activate_on_device(Activation activation, const at::Tensor& hidden, at::Tensor& out);
void activate_backward_on_device(Activation activation, const at::Tensor& hidden, at::Tensor& gradient, at::Tensor& out,
                                 const at::Tensor& sums);
void add_column_sums_on_device(const at::Tensor& rows, const at::Tensor& sums);
void add_rows_on_device(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows);

}  // namespace lockstep::model
