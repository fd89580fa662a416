#include <ATen/ATen.h>

#include <cmath>

#include "model/attention.h"
#include "model/philox.h"

namespace lockstep::model {
namespace {

/// [heads, length, head_dim] of example `i`'s rows.
at::Tensor heads_of(const at::Tensor& rows, const Examples& examples, int64_t i, int64_t heads) {
  return rows.narrow(0, examples.begin(i), examples.length(i)).unflatten(1, {heads, -1}).transpose(0, 1);
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

bool Attention::fuses(at::ScalarType type, const DropoutPlace& place) const {
  return on_device_ == DeviceAttention::kFused && (type == at::kBFloat16 || place.p == 0);
}

void Attention::forward(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                        const at::Tensor& context, AttentionState& state) {
  if (context.is_cpu()) return forward_on_host(in, rows, place, context, state);
  if (fuses(context.scalar_type(), place)) return forward_fused(in, rows, place, context, state);
  forward_on_device(in, rows, place, context);
}

void Attention::backward(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                         const AttentionState& state, const AttentionRows& rows, const DropoutPlace& place,
                         const Projections& gradient) {
  if (context.is_cpu()) return backward_on_host(in, context, context_gradient, state, rows, place, gradient);
  if (fuses(context.scalar_type(), place))
    return backward_fused(in, context, context_gradient, state, rows, place, gradient);
  backward_on_device(in, context_gradient, rows, place, gradient);
}

/// Per example [heads, queries, length]; nothing if dropout is off. One Philox run for the layer.
std::vector<at::Tensor> Attention::masks_on_device(const AttentionRows& rows, const DropoutPlace& place,
                                                   at::Device device) const {
  std::vector<at::Tensor> masks;
  if (place.p == 0) return masks;
  std::vector<int64_t> counters;
  for (int64_t i = 0; i < rows.tokens.count(); ++i)
    counters.push_back(heads_ * rows.tokens.length(i) * row_stride(rows.tokens.length(i)) / kDrawsPerCounter);
  const at::Tensor all = masks_of(rows.tokens, counters, place, device);
  int64_t start = 0;
  for (int64_t i = 0; i < rows.tokens.count(); ++i) {
    const int64_t length = rows.tokens.length(i);
    const int64_t stride = row_stride(length);
    masks.push_back(all.as_strided({heads_, rows.queries.length(i), length}, {length * stride, stride, 1}, start));
    start += counters[i] * kDrawsPerCounter;
  }
  return masks;
}

void Attention::forward_on_device(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                                  const at::Tensor& context) const {
  const std::vector<at::Tensor> masks = masks_on_device(rows, place, context.device());
  for (int64_t i = 0; i < rows.tokens.count(); ++i) {
    const at::Tensor query = heads_of(in.query, rows.queries, i, heads_);
    const at::Tensor key = heads_of(in.key, rows.tokens, i, heads_);
    at::Tensor weights = at::softmax(product_in_float(query, key.transpose(1, 2)) * scale(), -1);
    if (place.p > 0) weights.mul_(masks[i]);
    heads_of(context, rows.queries, i, heads_)
        .copy_(at::bmm(weights.to(context.scalar_type()), heads_of(in.value, rows.tokens, i, heads_)));
  }
}

void Attention::backward_on_device(const Projections& in, const at::Tensor& context_gradient, const AttentionRows& rows,
                                   const DropoutPlace& place, const Projections& gradient) const {
  const at::ScalarType type = context_gradient.scalar_type();
  const std::vector<at::Tensor> masks = masks_on_device(rows, place, context_gradient.device());
  for (int64_t i = 0; i < rows.tokens.count(); ++i) {
    const at::Tensor query = heads_of(in.query, rows.queries, i, heads_);
    const at::Tensor key = heads_of(in.key, rows.tokens, i, heads_);
    const at::Tensor d_out = heads_of(context_gradient, rows.queries, i, heads_);
    const at::Tensor weights = at::softmax(product_in_float(query, key.transpose(1, 2)) * scale(), -1);
    at::Tensor d_weights = product_in_float(d_out, heads_of(in.value, rows.tokens, i, heads_).transpose(1, 2));
    if (place.p > 0) d_weights.mul_(masks[i]);
    const at::Tensor dropped = (place.p > 0 ? weights * masks[i] : weights).to(type);
    heads_of(gradient.value, rows.tokens, i, heads_).copy_(at::bmm(dropped.transpose(1, 2), d_out));
    const at::Tensor d_scores = (d_weights - (d_weights * weights).sum(-1, true)).mul_(weights).mul_(scale()).to(type);
    heads_of(gradient.query, rows.queries, i, heads_).copy_(at::bmm(d_scores, key));
    heads_of(gradient.key, rows.tokens, i, heads_).copy_(at::bmm(d_scores.transpose(1, 2), query));
  }
}

}  // namespace lockstep::model
