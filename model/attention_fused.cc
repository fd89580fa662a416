// Attention on GPUs by LibTorch's fused kernels: FlashAttention-2 (Dao, 2023) in bf16, the memory-efficient kernels
// (Rabe and Staats, 2021) in fp32. Both take packed sequences by their offsets. With these, the memory-efficient
// forward counts masks' elements by a number of keys that it takes to be 0, unlike backward (LibTorch 2.11,
// kernel_forward.h): not for dropout.
#include <ATen/ATen.h>

#include <mutex>
#include <tuple>

#include "model/attention.h"
#include "model/philox.h"

namespace lockstep::model {
namespace {

/// [rows, heads * head_dim] as [rows, heads, head_dim].
at::Tensor by_heads(const at::Tensor& rows, int64_t heads) {
  return rows.unflatten(1, {heads, -1});
}

/// Of one layer, for one micro-batch.
uint64_t mask_seed(const DropoutPlace& place, const Examples& examples) {
  const PhiloxKey step = philox_key(place.key.seed, place.key.step);
  uint64_t seed = mix64((uint64_t{step.high} << 32 | step.low) + place.key.layer);
  for (const int64_t id : examples.ids)
    seed = mix64(seed + static_cast<uint64_t>(id));
  return seed;
}

/// The kernels draw from the device's default generator, which nothing else here uses.
void seed_generator(at::Device device, uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::scoped_lock lock(generator.mutex());
  generator.set_current_seed(seed);
}

/// While it lives, FlashAttention's backward adds in an order that does not change from run to run. No other operation
/// is to be called then: most would look at the same switch.
class FixedOrder {
 public:
  FixedOrder() {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  ~FixedOrder() {
    at::globalContext().setDeterministicAlgorithms(was_, only_warned_);
    at::globalContext().setDeterministicFillUninitializedMemory(filled_);
  }
  FixedOrder(const FixedOrder&) = delete;
  FixedOrder& operator=(const FixedOrder&) = delete;

 private:
  bool was_ = at::globalContext().deterministicAlgorithms();
  bool only_warned_ = at::globalContext().deterministicAlgorithmsWarnOnly();
  bool filled_ = at::globalContext().deterministicFillUninitializedMemory();
};

/// The kernels' arguments.
struct Packed {
  Packed(const Projections& in, const AttentionRows& rows, int64_t heads)
      : query(by_heads(in.query, heads)),
        key(by_heads(in.key, heads)),
        value(by_heads(in.value, heads)),
        query_offsets(rows.queries.device_offsets),
        key_offsets(rows.tokens.device_offsets),
        most_queries(rows.queries.longest()),
        most_keys(rows.tokens.longest()) {}

  at::Tensor query, key, value;
  at::Tensor query_offsets, key_offsets;
  int64_t most_queries, most_keys;
};

constexpr int64_t kNoMask = 0;    // all keys are seen
constexpr int64_t kOneSplit = 1;  // of the keys: sums in a fixed order

}  // namespace

void Attention::forward_fused(const Projections& in, const AttentionRows& rows, const DropoutPlace& place,
                              const at::Tensor& context, AttentionState& state) const {
  if (rows.tokens.count() == 0) return;
  if (place.p > 0) seed_generator(context.device(), mask_seed(place, rows.tokens));
  const Packed p(in, rows, heads_);
  at::Tensor out;
  if (context.scalar_type() == at::kBFloat16)
    std::tie(out, state.softmax, state.seed, state.offset, std::ignore) = at::_flash_attention_forward(
        p.query, p.key, p.value, p.query_offsets, p.key_offsets, p.most_queries, p.most_keys, place.p,
        /*is_causal=*/false, /*return_debug_mask=*/false, double{scale()});
  else
    std::tie(out, state.softmax, state.seed, state.offset, std::ignore, std::ignore) = at::_efficient_attention_forward(
        p.query.unsqueeze(0), p.key.unsqueeze(0), p.value.unsqueeze(0), {}, p.query_offsets, p.key_offsets,
        p.most_queries, p.most_keys, place.p, kNoMask, /*compute_log_sumexp=*/true, double{scale()});
  by_heads(context, heads_).copy_(out.view({context.size(0), heads_, head_dim_}));
}

void Attention::backward_fused(const Projections& in, const at::Tensor& context, const at::Tensor& context_gradient,
                               const AttentionState& state, const AttentionRows& rows, const DropoutPlace& place,
                               const Projections& gradient) const {
  if (rows.tokens.count() == 0) return;
  const Packed p(in, rows, heads_);
  const at::Tensor out = by_heads(context, heads_), d_out = by_heads(context_gradient, heads_);
  at::Tensor d_query, d_key, d_value;
  if (context.scalar_type() == at::kBFloat16) {
    const FixedOrder order;
    std::tie(d_query, d_key, d_value) = at::_flash_attention_backward(
        d_out, p.query, p.key, p.value, out, state.softmax, p.query_offsets, p.key_offsets, p.most_queries, p.most_keys,
        place.p, /*is_causal=*/false, state.seed, state.offset, double{scale()});
  } else {
    std::tie(d_query, d_key, d_value, std::ignore) = at::_efficient_attention_backward(
        d_out.unsqueeze(0), p.query.unsqueeze(0), p.key.unsqueeze(0), p.value.unsqueeze(0), {}, out.unsqueeze(0),
        p.query_offsets, p.key_offsets, p.most_queries, p.most_keys, state.softmax, place.p, state.seed, state.offset,
        kNoMask, /*bias_requires_grad=*/false, double{scale()}, kOneSplit);
  }
  by_heads(gradient.query, heads_).copy_(d_query.view(p.query.sizes()));
  by_heads(gradient.key, heads_).copy_(d_key.view(p.key.sizes()));
  by_heads(gradient.value, heads_).copy_(d_value.view(p.value.sizes()));
}

}  // namespace lockstep::model
