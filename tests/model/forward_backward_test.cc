#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "model/error.h"
#include "model/metrics.h"
#include "tests/model/tiny_model.h"

namespace lockstep::model {
namespace {

constexpr uint64_t kSeed = 11;
// A step whose masks leave no unit of a relu so near its kink that a finite difference would reach across.
constexpr int64_t kStep = 5;

std::vector<float> gradients_of(DistilBert& model, const PackedInput& input, double scale = 1) {
  model.zero_gradients();
  model.forward_backward(input, kSeed, kStep, scale);
  const auto values = model.gradients();
  return {values.begin(), values.end()};
}

/// The loss as a function of the parameters along a line, its masks fixed by (kSeed, kStep).
class LossOnALine {
 public:
  LossOnALine(DistilBert& model, const PackedInput& input, std::vector<double> direction)
      : model_(model), input_(input), start_(parameters_of(model)), direction_(std::move(direction)) {}

  double at(double h) {
    std::vector<float> moved = start_;
    for (size_t i = 0; i < moved.size(); ++i)
      moved[i] = static_cast<float>(moved[i] + h * direction_[i]);
    model_.set_parameters(moved);
    const double loss = model_.forward_backward(input_, kSeed, kStep, 0);
    model_.set_parameters(start_);
    return loss;
  }
  /// Central differences of fourth order.
  double slope(double h) { return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h); }

 private:
  DistilBert& model_;
  PackedInput input_;
  std::vector<float> start_;
  std::vector<double> direction_;
};

class Gradient : public testing::TestWithParam<Activation> {
 protected:
  static DistilBertConfig config() {
    DistilBertConfig config = tiny_config();
    config.activation = GetParam();
    config.dropout = 0.2;
    config.attention_dropout = 0.3;
    config.seq_classif_dropout = 0.25;
    return config;
  }
  DistilBert model_ = tiny_model(config());
  TinyBatch batch_ = tiny_batch();
};

TEST_P(Gradient, OfEveryParameterIsTheSlopeOfTheLossUnderDropout) {
  const std::vector<float> gradients = gradients_of(model_, batch_.input());
  for (const ParameterSlot& slot : model_.layout().slots) {
    double norm = 0;
    for (int64_t i = slot.offset; i < slot.offset + slot.size; ++i)
      norm += std::pow(static_cast<double>(gradients[i]), 2);
    norm = std::sqrt(norm);
    std::vector<double> direction(gradients.size());
    if (slot.name.ends_with("k_lin.bias")) {
      EXPECT_LT(norm, 1e-4) << "softmax does not see a key's bias: its gradient is rounding";
      continue;
    }
    for (int64_t i = slot.offset; i < slot.offset + slot.size; ++i)
      direction[i] = gradients[i] / norm;
    // A loss of about 5 in float32 carries 1e-6 of noise, which h = 4e-3 makes 3e-4; fourth-order truncation is below
    // that.
    EXPECT_NEAR(LossOnALine(model_, batch_.input(), direction).slope(4e-3), norm, 1e-3 + 4e-3 * norm) << slot.name;
  }
}

TEST_P(Gradient, IsTheSlopeInRandomDirectionsToo) {
  const std::vector<float> gradients = gradients_of(model_, batch_.input());
  std::mt19937 random(1);
  std::normal_distribution<double> normal(0, 1 / std::sqrt(static_cast<double>(gradients.size())));
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> direction(gradients.size());
    for (double& value : direction)
      value = normal(random);
    const double expected = std::inner_product(direction.begin(), direction.end(), gradients.begin(), 0.0);
    EXPECT_NEAR(LossOnALine(model_, batch_.input(), direction).slope(4e-3), expected, 1e-3 + 4e-3 * std::abs(expected));
  }
}

INSTANTIATE_TEST_SUITE_P(Activations, Gradient, testing::Values(Activation::kGelu, Activation::kRelu));

TEST(ForwardBackward, AddsScaledGradients) {
  DistilBert model = tiny_model();
  const TinyBatch batch = tiny_batch();
  const std::vector<float> once = gradients_of(model, batch.input());
  model.zero_gradients();
  model.forward_backward(batch.input(), kSeed, kStep, 0.25);
  model.forward_backward(batch.input(), kSeed, kStep, 0.5);
  const auto sum = model.gradients();
  // Powers of two scale without rounding; only the sum of the two rounds.
  for (size_t i = 0; i < once.size(); ++i)
    EXPECT_NEAR(sum[i], 0.75F * once[i], 1e-5F + 1e-5F * std::abs(once[i])) << i;
}

TEST(ForwardBackward, OfABatchIsTheSumOverItsExamples) {
  DistilBert model = tiny_model();
  const TinyBatch batch = tiny_batch();
  const std::vector<float> together = gradients_of(model, batch.input());
  model.zero_gradients();
  double loss = 0;
  for (int64_t i = 3; i >= 0; --i) {  // another order: masks belong to examples, not to places in the batch
    TinyBatch one;
    one.add(batch.example_ids[i], batch.offsets[i + 1] - batch.offsets[i], batch.labels[i]);
    loss += model.forward_backward(one.input(), kSeed, kStep, 1);
  }
  EXPECT_NEAR(loss, model.forward_backward(batch.input(), kSeed, kStep, 0), 1e-5);
  const auto apart = model.gradients();
  for (size_t i = 0; i < together.size(); ++i)
    EXPECT_NEAR(apart[i], together[i], 2e-5F) << i;  // float32 sums in another order
}

TEST(ForwardBackward, GivesTheSameBitsAgain) {
  DistilBert model = tiny_model();
  const TinyBatch batch = tiny_batch();
  EXPECT_EQ(gradients_of(model, batch.input()), gradients_of(model, batch.input()));
}

TEST(ForwardBackward, DropsOtherElementsAtAnotherStep) {
  DistilBert model = tiny_model();
  const TinyBatch batch = tiny_batch();
  const double loss = model.forward_backward(batch.input(), kSeed, kStep, 0);
  EXPECT_NE(loss, model.forward_backward(batch.input(), kSeed, kStep + 1, 0));
  EXPECT_NE(loss, model.forward_backward(batch.input(), kSeed + 1, kStep, 0));
  EXPECT_EQ(loss, model.forward_backward(batch.input(), kSeed, kStep, 0));
}

TEST(ForwardBackward, WithoutDropoutHasTheLossOfTheLogits) {
  DistilBertConfig config = tiny_config();
  config.dropout = config.attention_dropout = config.seq_classif_dropout = 0;
  DistilBert model = tiny_model(config);
  const TinyBatch batch = tiny_batch();
  const double loss = model.forward_backward(batch.input(), kSeed, kStep, 0);
  EXPECT_DOUBLE_EQ(loss, cross_entropy_sum(model.logits(batch.input()), batch.labels));
}

TEST(ForwardBackward, ThePaddingTokensEmbeddingGetsNoGradient) {
  DistilBert model = tiny_model();
  TinyBatch batch = tiny_batch();
  batch.ids[3] = 0;
  const std::vector<float> gradients = gradients_of(model, batch.input());
  const ParameterSlot& words = model.layout().find("distilbert.embeddings.word_embeddings.weight");
  const auto row_is_zero = [&](int64_t row) {
    const auto begin = gradients.begin() + words.offset + row * 16;
    return std::all_of(begin, begin + 16, [](float value) { return value == 0; });
  };
  EXPECT_TRUE(row_is_zero(0));
  EXPECT_FALSE(row_is_zero(batch.ids[2]));
}

TEST(GradientFrontier, RisesFromHeadToEmbeddingsAndNothingBeforeItChangesAfterwards) {
  DistilBert model = tiny_model();
  const TinyBatch batch = tiny_batch();
  const auto gradients = model.gradients();
  std::vector<int64_t> ends;
  std::vector<float> seen;
  model.forward_backward(batch.input(), kSeed, kStep, 1, [&](int64_t end) {
    for (int64_t i = static_cast<int64_t>(seen.size()); i < end; ++i)
      seen.push_back(gradients[i]);
    ends.push_back(end);
  });
  EXPECT_EQ(ends.size(), 5U);  // the begin, head, two layers, embeddings
  EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
  EXPECT_EQ(ends.front(), 0);
  EXPECT_EQ(ends[1], model.layout().find("distilbert.transformer.layer.1.output_layer_norm.weight").offset);
  EXPECT_EQ(ends.back(), model.layout().size);
  EXPECT_TRUE(std::equal(seen.begin(), seen.end(), gradients.begin(), gradients.end()));
}

TEST(GradientFrontier, IsWalkedToTheEndByARankWithoutExamples) {
  DistilBert model = tiny_model();
  const int32_t offsets[] = {0};
  int64_t reached = 0;
  EXPECT_EQ(model.forward_backward({{}, offsets, {}, {}}, kSeed, kStep, 1, [&](int64_t end) { reached = end; }), 0);
  EXPECT_EQ(reached, model.layout().size);
  for (const float gradient : model.gradients())
    EXPECT_EQ(gradient, 0);
  EXPECT_TRUE(model.logits({{}, offsets, {}, {}}).empty());
}

/// The complaint about `batch`, or nothing.
template <class Error>
std::string complaint(const TinyBatch& batch) {
  DistilBert model = tiny_model();
  try {
    model.forward_backward(batch.input(), kSeed, kStep, 1);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(PackedInput, WithAnIdOutsideTheVocabularyIsRefusedByName) {
  TinyBatch batch = tiny_batch();
  batch.ids[0] = 40;
  EXPECT_EQ(complaint<ModelContractError>(batch),
            "example 5: token id 40, the model's vocabulary has 40; prepare the data with the model's own vocabulary");
  batch.ids[0] = -1;
  EXPECT_NE(complaint<ModelContractError>(batch), "");
}

TEST(PackedInput, WithALabelOutsideTheClassifierIsRefusedByName) {
  TinyBatch batch = tiny_batch();
  batch.labels[1] = 3;
  EXPECT_EQ(complaint<ModelContractError>(batch), "example 6: label 3, the classifier has labels 0 to 2");
}

TEST(PackedInput, LongerThanThePositionsIsRefusedByName) {
  TinyBatch batch;
  batch.add(9, 25, 0);
  EXPECT_EQ(complaint<ModelContractError>(batch),
            "example 9 has 25 tokens, the model has positions for 24; prepare the data with a smaller max_length");
}

TEST(PackedInput, WhoseVectorsDoNotFitTogetherIsRefused) {
  TinyBatch batch = tiny_batch();
  batch.labels.pop_back();
  EXPECT_NE(complaint<std::invalid_argument>(batch), "");
  batch = tiny_batch();
  batch.offsets.back() += 1;
  EXPECT_NE(complaint<std::invalid_argument>(batch), "");
  batch = tiny_batch();
  batch.offsets[1] = 0;
  EXPECT_NE(complaint<std::invalid_argument>(batch), "");
}

TEST(DistilBert, OnADeviceThatTheBuildDoesNotKnowIsRefused) {
  EXPECT_THROW(DistilBert(tiny_config(), "mps"), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::model
