#include "model/linear.h"

#include <ATen/ATen.h>

#include "model/cpu/gemm_bf16.h"
#include "model/cpu/tensor_rows.h"
#include "model/packed_tensors.h"
#include "model/row_operations.h"

namespace lockstep::model {
namespace {

/// Whether the product is our own; LibTorch's otherwise.
bool is_ours(const at::Tensor& rows) {
  return rows.is_cpu() && rows.scalar_type() == at::kBFloat16 && prefers_dot_products_of_bf16();
}

/// out = input weight + added
void multiply_by_ours(const at::Tensor& input, const Factor<Bf16>& weight, const at::Tensor& out,
                      Rows<const Bf16> added) {
  multiply_pairs({out.size(0), out.size(1), input.size(1)}, plain(rows_of<const Bf16>(input)), weight,
                 rows_of<Bf16>(out), added);
}

/// For products of bf16 on the CPU, LibTorch's oneDNN compiles a kernel for each number of rows. Rows of buffers,
/// which are independent of each other there, are therefore taken to a multiple of kRowStep.
at::Tensor rounded_up(const at::Tensor& rows) {
  if (!rows.is_cpu() || rows.scalar_type() == at::kFloat) return rows;
  return rows.as_strided({(rows.size(0) + kRowStep - 1) / kRowStep * kRowStep, rows.size(1)}, rows.strides());
}

/// Likewise, with zeros beyond the last row: kernels read rows of a length that is no multiple of theirs on into the
/// next one and multiply that by zero, which a NaN there would survive.
at::Tensor rounded_up_with_zeros(const at::Tensor& rows) {
  at::Tensor all = rounded_up(rows);
  if (all.size(0) > rows.size(0)) all.narrow(0, rows.size(0), all.size(0) - rows.size(0)).zero_();
  return all;
}

}  // namespace

void apply(const Linear& linear, const at::Tensor& input, at::Tensor& out) {
  fit(out, input.size(0), linear.weight.size(0), input);
  if (is_ours(input))
    return multiply_by_ours(input, transposed(rows_of<const Bf16>(linear.weight)), out,
                            {elements_of<const Bf16>(linear.bias), 0});
  at::Tensor rows = rounded_up(out);
  at::addmm_out(rows, linear.bias, rounded_up_with_zeros(input), linear.weight.t());
}

void apply_transposed(const Linear& linear, const at::Tensor& out_gradient, at::Tensor& input_gradient) {
  fit(input_gradient, out_gradient.size(0), linear.weight.size(1), out_gradient);
  if (is_ours(out_gradient))
    return multiply_by_ours(out_gradient, plain(rows_of<const Bf16>(linear.weight)), input_gradient, {});
  at::Tensor rows = rounded_up(input_gradient);
  at::mm_out(rows, rounded_up_with_zeros(out_gradient), linear.weight);
}

void add_transposed(const Linear& linear, const at::Tensor& out_gradient, const at::Tensor& input_gradient) {
  if (is_ours(out_gradient))
    return multiply_by_ours(out_gradient, plain(rows_of<const Bf16>(linear.weight)), input_gradient,
                            rows_of<const Bf16>(input_gradient));
  rounded_up(input_gradient).addmm_(rounded_up_with_zeros(out_gradient), linear.weight);
}

void add_weight_gradient(const Linear& linear, const at::Tensor& input, const at::Tensor& out_gradient) {
  at::Tensor weight_gradient = linear.weight_gradient;
  if (input.scalar_type() == at::kFloat) {
    weight_gradient.addmm_(out_gradient.t(), input);
  } else if (input.is_cpu()) {
    multiply({out_gradient.size(1), input.size(1), input.size(0)}, transposed(rows_of<Bf16>(out_gradient)),
             plain(rows_of<Bf16>(input)), rows_of<float>(weight_gradient), Into::kAdd);
  } else {
    weight_gradient.add_(at::mm(out_gradient.t(), input, at::kFloat));
  }
}

void add_gradients(const Linear& linear, const at::Tensor& input, const at::Tensor& out_gradient) {
  add_weight_gradient(linear, input, out_gradient);
  add_column_sums(out_gradient, linear.bias_gradient);
}

}  // namespace lockstep::model
