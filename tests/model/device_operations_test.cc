// Devices run plain tensor operations where the host has kernels of its own. Both run on the host here.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "model/adamw_update.h"
#include "model/attention.h"

namespace lockstep::model {
namespace {

constexpr DropoutPlace kPlace = {{.seed = 9, .step = 2, .layer = 3, .site = DropoutSite::kAttention}, 0.3};

TEST(DeviceOperations, DropTheSameElementsAsTheHost) {
  const std::vector<int64_t> ids = {3, 12'345'678'901, 4};
  const std::vector<int64_t> counters = {5, 1, 33};
  const at::Tensor masks = mask_by_tensor_operations(make_mask_counters(ids, counters, at::kCPU), kPlace);
  at::Tensor expected = at::ones({8 * (5 + 1 + 33)});
  auto* values = expected.mutable_data_ptr<float>();
  for (size_t i = 0; i < ids.size(); values += 8 * counters[i++])
    apply_dropout(values, 8 * counters[i], 0, kPlace.of(ids[i]), kPlace.p);
  EXPECT_TRUE(at::equal(masks, expected));
}

TEST(DeviceOperations, CountersOfOneSizeAreMadeOnce) {
  const std::vector<int64_t> ids = {3, 12'345'678'901};
  MaskCounterCache cache;
  const MaskCounters& first = cache.get(ids, {5, 2}, at::kCPU);
  const MaskCounters& other = cache.get(ids, {1, 1}, at::kCPU);
  EXPECT_NE(&other, &first);
  EXPECT_EQ(&cache.get(ids, {5, 2}, at::kCPU), &first);

  const Examples kept = {{}, ids, &cache};
  const Examples plain = {{}, ids};
  for (const std::vector<int64_t>& sizes : {first.sizes, other.sizes})
    EXPECT_TRUE(at::equal(masks_of(kept, sizes, kPlace, at::kCPU), masks_of(plain, sizes, kPlace, at::kCPU)));
}

/// Attention's forward and backward on ragged sequences, on both ways: all queries, or each example's first.
class AttentionWays : public testing::TestWithParam<std::tuple<double, bool>> {
 protected:
  static constexpr int64_t kHeads = 3;
  static constexpr int64_t kHeadDim = 8;
  static constexpr int64_t kDim = kHeads * kHeadDim;
  static constexpr int64_t kTokens = 1 + 13 + 300;  // the last more than two blocks of queries

  void SetUp() override {
    place_.p = std::get<0>(GetParam());
    if (std::get<1>(GetParam())) rows_.queries.offsets = first_offsets_;
  }

  int64_t queries() const { return rows_.queries.offsets.back(); }
  static at::Tensor random(int64_t rows, int64_t columns, uint64_t seed) {
    return at::randn({rows, columns}, at::detail::createCPUGenerator(seed));
  }
  Projections parts_of(const at::Tensor& qkv) const {
    return {qkv.narrow(0, 0, queries()).narrow(1, 0, kDim), qkv.narrow(1, kDim, kDim), qkv.narrow(1, 2 * kDim, kDim)};
  }

  const std::vector<int32_t> offsets_ = {0, 1, 14, kTokens};
  const std::vector<int32_t> first_offsets_ = {0, 1, 2, 3};
  const std::vector<int64_t> ids_ = {8, 70, 6};
  AttentionRows rows_ = {{offsets_, ids_}, {offsets_, ids_}};
  DropoutPlace place_ = kPlace;
  Attention attention_{kHeads, kHeadDim};
  const at::Tensor qkv_ = random(kTokens, 3 * kDim, 1);
};

TEST_P(AttentionWays, AgreeForwardAndBackward) {
  const at::Tensor host = at::zeros({queries(), kDim});
  const at::Tensor device = at::zeros_like(host);
  AttentionState state;
  attention_.forward_on_host(parts_of(qkv_), rows_, place_, host, state);
  attention_.forward_on_device(parts_of(qkv_), rows_, place_, device);
  // Sums of at most 300 float32 terms of order one, in another order.
  EXPECT_TRUE(at::allclose(host, device, 1e-5, 1e-5));

  const at::Tensor context_gradient = random(queries(), kDim, 2);
  const at::Tensor host_gradient = at::zeros_like(qkv_);
  const at::Tensor device_gradient = at::zeros_like(qkv_);
  attention_.backward_on_host(parts_of(qkv_), host, context_gradient, state, rows_, place_, parts_of(host_gradient));
  attention_.backward_on_device(parts_of(qkv_), context_gradient, rows_, place_, parts_of(device_gradient));
  EXPECT_TRUE(at::allclose(host_gradient, device_gradient, 1e-5, 1e-5));
}

TEST_P(AttentionWays, AgreeInBFloat16) {
  const at::Tensor qkv = qkv_.to(at::kBFloat16);
  const at::Tensor host = at::zeros({queries(), kDim}, at::kBFloat16);
  const at::Tensor device = at::zeros_like(host);
  AttentionState state;
  attention_.forward(parts_of(qkv), rows_, place_, host, state);
  attention_.forward_on_device(parts_of(qkv), rows_, place_, device);
  // Values of order one. Both ways round the same numbers to 8 bits, which sums in another order push to the next
  // one here and there.
  EXPECT_TRUE(at::allclose(host, device, 2e-2, 2e-2));

  const at::Tensor context_gradient = random(queries(), kDim, 2).to(at::kBFloat16);
  const at::Tensor host_gradient = at::zeros_like(qkv);
  const at::Tensor device_gradient = at::zeros_like(qkv);
  attention_.backward(parts_of(qkv), host, context_gradient, state, rows_, place_, parts_of(host_gradient));
  attention_.backward_on_device(parts_of(qkv), context_gradient, rows_, place_, parts_of(device_gradient));
  EXPECT_TRUE(at::allclose(host_gradient, device_gradient, 2e-2, 2e-2));
}

INSTANTIATE_TEST_SUITE_P(RatesAndFirstQueriesOnly, AttentionWays,
                         testing::Combine(testing::Values(0.0, 0.3), testing::Bool()));

class FusedAdamW : public testing::TestWithParam<AdamWStep> {};

TEST_P(FusedAdamW, UpdatesAsTheHostDoes) {
  constexpr int64_t kCount = 70'001;  // more than two blocks, and a rest
  const auto make = [] {
    at::Tensor four = at::randn({4, kCount}, at::detail::createCPUGenerator(5));
    four[3].abs_();  // v
    return four;
  };
  at::Tensor host = make();
  at::Tensor device = make();
  const auto row = [&](int64_t i) { return host[i].mutable_data_ptr<float>(); };
  adamw_update_on_host(row(0), row(1), row(2), row(3), kCount, scalars_of(GetParam()));
  AdamWParts parts;  // two of each
  for (const int64_t begin : {int64_t{0}, int64_t{1001}}) {
    const int64_t size = begin == 0 ? 1001 : kCount - begin;
    for (const auto& [list, i] :
         {std::pair(&parts.p, 0), std::pair(&parts.g, 1), std::pair(&parts.m, 2), std::pair(&parts.v, 3)})
      list->push_back(device[i].narrow(0, begin, size));
  }
  adamw_update_on_device(parts, GetParam());
  // The same operations, some of them fused or with a scalar in double.
  EXPECT_TRUE(at::allclose(host, device, 1e-6, 1e-6));
}

// Weight decay, clipping and a large epsilon show in a step each; the bias corrections in the first and a late one.
constexpr AdamWStep kStep = {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
AdamWStep changed(const std::function<void(AdamWStep&)>& change) {
  AdamWStep step = kStep;
  change(step);
  return step;
}
INSTANTIATE_TEST_SUITE_P(OneSettingAtATime, FusedAdamW,
                         testing::Values(kStep, changed([](AdamWStep& s) { s.weight_decay = 0.5; }),
                                         changed([](AdamWStep& s) { s.clip = 0.3; }),
                                         changed([](AdamWStep& s) { s.epsilon = 0.1; }),
                                         changed([](AdamWStep& s) { s.number = 30'000; }), changed([](AdamWStep& s) {
                                           s.beta1 = 0.5;
                                           s.beta2 = 0.95;
                                         })));

TEST(SquareSum, IsTheSumInDouble) {
  const at::Tensor values = at::randn({70'001}, at::detail::createCPUGenerator(6));
  const double expected = values.to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(square_sum_on_host(values.const_data_ptr<float>(), 70'001), expected, 1e-12 * expected);
}

}  // namespace
}  // namespace lockstep::model
