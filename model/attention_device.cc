#include <ATen/ATen.h>

#include <cmath>

#include "model/attention.h"
#include "model/philox.h"

namespace lockstep::model {
namespace {

/// [heads, length, head_dim] of the `part`-th [T, heads * head_dim] of `rows`.
at::Tensor heads_of(const at::Tensor& rows, int64_t begin, int64_t length, int64_t part, int64_t heads,
                    int64_t head_dim) {
  const int64_t row = rows.stride(0);
  return rows.as_strided({heads, length, head_dim}, {head_dim, row, 1}, begin * row + part * heads * head_dim);
}

/// Products of bf16 are summed and kept in fp32: CUDA has an operation for that, the CPU has none and widens them
/// first.
at::Tensor product_in_float(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cuda() && a.scalar_type() != at::kFloat) return at::bmm(a, b, at::kFloat);
  return at::bmm(a.to(at::kFloat), b.to(at::kFloat));
}

}  // namespace

float Attention::scale() const {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim_)));
}

void Attention::forward(const at::Tensor& qkv, const Examples& examples, const DropoutPlace& place,
                        const at::Tensor& context) {
  if (!qkv.is_cpu()) return forward_on_device(qkv, examples, place, context);
  // The same tensors if they are fp32 already.
  const at::Tensor in_float = context.to(at::kFloat);
  forward_on_host(qkv.to(at::kFloat), examples, place, in_float);
  context.copy_(in_float);
}

void Attention::backward(const at::Tensor& qkv, const at::Tensor& context, const at::Tensor& context_gradient,
                         const Examples& examples, const DropoutPlace& place, const at::Tensor& qkv_gradient) {
  if (!qkv.is_cpu()) return backward_on_device(qkv, context_gradient, examples, place, qkv_gradient);
  const at::Tensor in_float = qkv_gradient.to(at::kFloat);
  backward_on_host(qkv.to(at::kFloat), context.to(at::kFloat), context_gradient.to(at::kFloat), examples, place,
                   in_float);
  qkv_gradient.copy_(in_float);
}

/// Per example [heads, length, length]; nothing if dropout is off. One Philox run for the layer.
std::vector<at::Tensor> Attention::masks_on_device(const Examples& examples, const DropoutPlace& place,
                                                   at::Device device) const {
  std::vector<at::Tensor> masks;
  if (place.p == 0) return masks;
  std::vector<int64_t> counters;
  for (int64_t i = 0; i < examples.count(); ++i)
    counters.push_back(heads_ * examples.length(i) * row_stride(examples.length(i)) / kDrawsPerCounter);
  const at::Tensor all = mask_by_tensor_operations(examples.ids, counters, place, device);
  int64_t start = 0;
  for (int64_t i = 0; i < examples.count(); ++i) {
    const int64_t length = examples.length(i);
    const int64_t stride = row_stride(length);
    masks.push_back(all.as_strided({heads_, length, length}, {length * stride, stride, 1}, start));
    start += counters[i] * kDrawsPerCounter;
  }
  return masks;
}

void Attention::forward_on_device(const at::Tensor& qkv, const Examples& examples, const DropoutPlace& place,
                                  const at::Tensor& context) const {
  const std::vector<at::Tensor> masks = masks_on_device(examples, place, qkv.device());
  for (int64_t i = 0; i < examples.count(); ++i) {
    const auto part = [&](const at::Tensor& rows, int64_t index) {
      return heads_of(rows, examples.begin(i), examples.length(i), index, heads_, head_dim_);
    };
    at::Tensor weights = at::softmax(product_in_float(part(qkv, 0), part(qkv, 1).transpose(1, 2)) * scale(), -1);
    if (place.p > 0) weights.mul_(masks[i]);
    part(context, 0).copy_(at::bmm(weights.to(qkv.scalar_type()), part(qkv, 2)));
  }
}

void Attention::backward_on_device(const at::Tensor& qkv, const at::Tensor& context_gradient, const Examples& examples,
                                   const DropoutPlace& place, const at::Tensor& qkv_gradient) const {
  const std::vector<at::Tensor> masks = masks_on_device(examples, place, qkv.device());
  for (int64_t i = 0; i < examples.count(); ++i) {
    const auto part = [&](const at::Tensor& rows, int64_t index) {
      return heads_of(rows, examples.begin(i), examples.length(i), index, heads_, head_dim_);
    };
    const at::Tensor weights = at::softmax(product_in_float(part(qkv, 0), part(qkv, 1).transpose(1, 2)) * scale(), -1);
    const at::Tensor d_out = part(context_gradient, 0);
    at::Tensor gradient = product_in_float(d_out, part(qkv, 2).transpose(1, 2));
    if (place.p > 0) gradient.mul_(masks[i]);
    const at::Tensor dropped = (place.p > 0 ? weights * masks[i] : weights).to(qkv.scalar_type());
    part(qkv_gradient, 2).copy_(at::bmm(dropped.transpose(1, 2), d_out));
    const at::Tensor d_scores =
        (gradient - (gradient * weights).sum(-1, true)).mul_(weights).mul_(scale()).to(qkv.scalar_type());
    part(qkv_gradient, 0).copy_(at::bmm(d_scores, part(qkv, 1)));
    part(qkv_gradient, 1).copy_(at::bmm(d_scores.transpose(1, 2), part(qkv, 0)));
  }
}

}  // namespace lockstep::model
