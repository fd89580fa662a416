// Mixed precision against fp32. Every activation and its gradient is rounded to 8 significant bits, relative 2^-9 each
// time, and the errors of a sum's terms are independent: a handful of such roundings on the way through two layers and
// back leave about one per cent of a tensor's norm.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/exchange_buffer.h"
#include "model/optimizer.h"
#include "tests/model/tiny_model.h"

namespace lockstep::model {
namespace {

constexpr uint64_t kMaskSeed = 11;

DistilBert tiny_model_in(Precision precision) {
  DistilBert model(tiny_config(), "cpu", precision);
  model.initialize(3, false);
  return model;
}

class BFloat16 : public testing::Test {
 protected:
  DistilBert exact_ = tiny_model_in(Precision::kFloat32);
  DistilBert mixed_ = tiny_model_in(Precision::kBFloat16);
  const TinyBatch batch_ = tiny_batch();
};

/// ||a - b|| / ||b||
double relative_difference(std::span<const float> a, std::span<const float> b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

TEST_F(BFloat16, LogitsAreThoseOfFloatButForRoundings) {
  const double difference = relative_difference(mixed_.logits(batch_.input()), exact_.logits(batch_.input()));
  EXPECT_LT(difference, 2e-2);
  EXPECT_GT(difference, 1e-5) << "nothing was computed in bf16";
}

TEST_F(BFloat16, EveryGradientIsThatOfFloatButForRoundings) {
  EXPECT_NEAR(mixed_.forward_backward(batch_.input(), kMaskSeed, 5, 1),
              exact_.forward_backward(batch_.input(), kMaskSeed, 5, 1), 5e-2);
  for (const ParameterSlot& slot : exact_.layout().slots) {
    if (slot.name.ends_with("k_lin.bias")) continue;  // truly zero: both are rounding
    const auto mixed = mixed_.gradients().subspan(slot.offset, slot.size);
    EXPECT_LT(relative_difference(mixed, exact_.gradients().subspan(slot.offset, slot.size)), 5e-2) << slot.name;
  }
}

TEST_F(BFloat16, ParametersKeepTheirFloats) {
  EXPECT_EQ(parameters_of(mixed_), parameters_of(exact_));
  AdamW optimizer(mixed_, {});
  mixed_.forward_backward(batch_.input(), kMaskSeed, 5, 1);
  const std::vector<float> before = parameters_of(mixed_);
  optimizer.step(1e-6);  // far less than the last bit of a bf16 weight
  const std::vector<float> after = parameters_of(mixed_);
  const ParameterSlot& weight = mixed_.layout().find("distilbert.transformer.layer.0.ffn.lin1.weight");
  EXPECT_FALSE(std::equal(before.begin() + weight.offset, before.begin() + weight.offset + weight.size,
                          after.begin() + weight.offset));
}

TEST_F(BFloat16, AnUpdateReachesTheLayers) {
  AdamW optimizer(mixed_, {});
  mixed_.forward_backward(batch_.input(), kMaskSeed, 5, 1);
  optimizer.step(1e-2);
  DistilBert other = tiny_model_in(Precision::kBFloat16);
  other.set_parameters(parameters_of(mixed_));
  EXPECT_EQ(mixed_.logits(batch_.input()), other.logits(batch_.input()));
}

// Without dropout, whose masks make the losses of so small a model jump from step to step.
TEST(BFloat16Training, ThirtyStepsFollowThoseOfFloatAndLearn) {
  DistilBertConfig config = tiny_config();
  config.dropout = config.attention_dropout = config.seq_classif_dropout = 0;
  DistilBert exact(config, "cpu"), mixed(config, "cpu", Precision::kBFloat16);
  const TinyBatch batch = tiny_batch();
  double first = 0, last = 0;
  AdamW exact_optimizer(exact, {}), mixed_optimizer(mixed, {});
  for (DistilBert* model : {&exact, &mixed})
    model->initialize(3, false);
  for (int64_t step = 0; step < 30; ++step) {
    const double expected = exact.forward_backward(batch.input(), kMaskSeed, step, 0.25);
    last = mixed.forward_backward(batch.input(), kMaskSeed, step, 0.25);
    if (step == 0) first = last;
    EXPECT_NEAR(last, expected, 0.01 * first) << "step " << step;
    exact_optimizer.step(2e-3);
    mixed_optimizer.step(2e-3);
  }
  EXPECT_LT(last, 0.5 * first);
}

TEST_F(BFloat16, GivesTheSameBitsAgain) {
  DistilBert again = tiny_model_in(Precision::kBFloat16);
  mixed_.forward_backward(batch_.input(), kMaskSeed, 5, 1);
  again.forward_backward(batch_.input(), kMaskSeed, 5, 1);
  EXPECT_TRUE(std::ranges::equal(mixed_.gradients(), again.gradients()));
}

/// A batch of 150 tokens, all of whose activations and gradients are NaN, leaves its rows in every buffer.
TEST_F(BFloat16, NothingComesFromRowsBeyondTheBatch) {
  DistilBert used = tiny_model_in(Precision::kBFloat16);
  const std::vector<float> parameters = parameters_of(used);
  TinyBatch large;
  for (int64_t example = 0; example < 10; ++example)
    large.add(example, 15, 1);
  used.set_parameters(std::vector<float>(parameters.size(), std::nanf("")));
  used.forward_backward(large.input(), kMaskSeed, 4, 1);
  used.set_parameters(parameters);
  used.zero_gradients();
  EXPECT_EQ(used.logits(batch_.input()), mixed_.logits(batch_.input()));
  used.forward_backward(batch_.input(), kMaskSeed, 5, 1);
  mixed_.forward_backward(batch_.input(), kMaskSeed, 5, 1);
  EXPECT_TRUE(std::ranges::equal(used.gradients(), mixed_.gradients()));
}

class Exchange : public testing::Test {
 protected:
  void SetUp() override { std::ranges::copy(std::vector<float>{1, 257, 259, -257.001F}, gradients_.begin()); }

  DistilBert model_ = tiny_model();
  const std::span<float> gradients_ = model_.gradients();
};

TEST_F(Exchange, OfFloatsInTheModelsMemoryIsTheGradientItself) {
  EXPECT_EQ(ExchangeBuffer(model_, {}).data(), gradients_.data());
  EXPECT_EQ(ExchangeBuffer(model_, {.on_host = true}).data(), gradients_.data());
}

TEST_F(Exchange, OfBFloat16sRoundsToTheNearestAndEvenOnATie) {
  ExchangeBuffer buffer(model_, {.bfloat16 = true});
  buffer.load(0, 4);
  const auto* halves = static_cast<const uint16_t*>(buffer.data());
  for (const auto& [i, rounded] : {std::pair{0, 1.0F}, {1, 256.0F}, {2, 260.0F}, {3, -258.0F}})
    EXPECT_EQ(std::bit_cast<float>(uint32_t{halves[i]} << 16), rounded);
}

TEST_F(Exchange, MovesTheRangeThatItIsAskedFor) {
  ExchangeBuffer buffer(model_, {.bfloat16 = true});
  buffer.load(0, 4);
  buffer.store(1, 3);
  EXPECT_EQ(std::vector<float>(gradients_.begin(), gradients_.begin() + 4),
            (std::vector<float>{1, 256, 260, -257.001F}));
}

}  // namespace
}  // namespace lockstep::model
