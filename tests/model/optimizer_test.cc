#include "model/optimizer.h"
#include "model/compute.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/model/tiny_model.h"

namespace lockstep::model {
namespace {

void fill_gradients(DistilBert& model, float value) {
  std::ranges::fill(model.gradients(), value);
}

TEST(AdamW, FirstStepMovesEveryParameterByTheLearningRateAgainstItsGradient) {
  DistilBert model = tiny_model();
  const std::vector<float> before = parameters_of(model);
  fill_gradients(model, 0.5F);
  AdamW(model, {.max_grad_norm = 0}).step(1e-3);
  const std::vector<float> after = parameters_of(model);
  // m / bias and sqrt(v / bias) are the gradient itself after one step; weights below 4 round to 2e-7.
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(after[i], before[i] - 1e-3F, 5e-7F) << i;
}

TEST(AdamW, ReturnsTheNormBeforeClippingAndZeroesTheGradients) {
  DistilBert model = tiny_model();
  fill_gradients(model, 2.0F);
  AdamW optimizer(model, {});
  EXPECT_DOUBLE_EQ(optimizer.step(1e-3), 2 * std::sqrt(static_cast<double>(model.layout().size)));
  for (const float gradient : model.gradients())
    EXPECT_EQ(gradient, 0);
  EXPECT_EQ(optimizer.steps(), 1);
}

TEST(AdamW, ClipsTheWholeGradientToItsLargestNorm) {
  DistilBert clipped = tiny_model();
  DistilBert small = tiny_model();
  const auto norm = static_cast<float>(std::sqrt(static_cast<double>(clipped.layout().size)));
  AdamW clipping(clipped, {.epsilon = 1, .max_grad_norm = 0.5});  // a large epsilon: the size of the gradient shows
  AdamW free(small, {.epsilon = 1, .max_grad_norm = 0});
  fill_gradients(clipped, 1.0F);
  fill_gradients(small, 0.5F / norm);
  clipping.step(0.1);
  free.step(0.1);
  const std::vector<float> a = parameters_of(clipped);
  const std::vector<float> b = parameters_of(small);
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a[i], b[i], 2e-7F) << i;  // the clip factor rounds to float
}

TEST(AdamW, ClipsByTheNormItIsGivenWhateverItsOwn) {
  DistilBert one = tiny_model();
  DistilBert other = tiny_model();
  AdamW first(one, {.epsilon = 1, .max_grad_norm = 1}), second(other, {.epsilon = 1, .max_grad_norm = 1});
  fill_gradients(one, 1.0F);
  fill_gradients(other, 0.5F);
  first.step(0.1, 128);  // clipped to 1/128
  second.step(0.1, 64);
  EXPECT_EQ(parameters_of(one), parameters_of(other));
}

TEST(AdamW, DecaysOnlyTheSlotsThatSaySo) {
  DistilBert model = tiny_model();
  const std::vector<float> before = parameters_of(model);
  AdamW(model, {.weight_decay = 0.5}).step(0.1);  // gradients are zero: nothing else moves
  const std::vector<float> after = parameters_of(model);
  for (const ParameterSlot& slot : model.layout().slots)
    for (int64_t i = slot.offset; i < slot.offset + slot.size; ++i)
      EXPECT_EQ(after[i], slot.decay ? before[i] * 0.95F : before[i]) << slot.name;
}

TEST(AdamW, ANonFiniteGradientLeavesEverythingButTheGradientsAsItWas) {
  for (const float poison : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    DistilBert poisoned = tiny_model();
    DistilBert spared = tiny_model();
    AdamW first(poisoned, {});
    AdamW second(spared, {});
    fill_gradients(poisoned, 0.1F);
    fill_gradients(spared, 0.1F);
    first.step(1e-2);
    second.step(1e-2);
    poisoned.gradients()[17] = poison;
    EXPECT_FALSE(std::isfinite(first.step(1e-2)));
    EXPECT_EQ(first.steps(), 1);
    for (const float gradient : poisoned.gradients())
      EXPECT_EQ(gradient, 0);
    fill_gradients(poisoned, 0.2F);  // m, v and the step count show in the next step
    fill_gradients(spared, 0.2F);
    first.step(1e-2);
    second.step(1e-2);
    EXPECT_EQ(parameters_of(poisoned), parameters_of(spared));
  }
}

TEST(AdamW, GivesTheSameBitsForAnyNumberOfThreads) {
  const int threads = compute_threads();
  std::vector<std::vector<float>> results;
  for (const int count : {1, 2, 3}) {
    set_compute_threads(count);
    DistilBert model = tiny_model();
    AdamW optimizer(model, {.weight_decay = 0.01});
    for (int step = 0; step < 3; ++step) {
      int64_t i = 0;
      for (float& gradient : model.gradients())
        gradient = std::sin(static_cast<float>(++i + step));
      optimizer.step(1e-2);
    }
    results.push_back(parameters_of(model));
  }
  set_compute_threads(threads);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(AdamW, GoesOnFromItsStateAsIfItHadNeverStopped) {
  DistilBert unbroken = tiny_model();
  AdamW optimizer(unbroken, {.weight_decay = 0.1});
  fill_gradients(unbroken, 0.5F);
  optimizer.step(1e-3);

  const auto size = static_cast<size_t>(unbroken.layout().size);
  std::vector<float> parameters(size), m(size), v(size);
  for (const size_t begin : {size_t{0}, size / 3})  // in two parts
    optimizer.get_state(static_cast<int64_t>(begin), std::span(parameters).subspan(begin), std::span(m).subspan(begin),
                        std::span(v).subspan(begin));
  DistilBert resumed = tiny_model();
  resumed.set_parameters(parameters);
  AdamW other(resumed, {.weight_decay = 0.1});
  other.set_moments(m, v, optimizer.steps());
  for (int i = 0; i < 3; ++i) {
    fill_gradients(unbroken, 0.25F);
    fill_gradients(resumed, 0.25F);
    EXPECT_EQ(optimizer.step(1e-3), other.step(1e-3));
  }
  EXPECT_EQ(parameters_of(unbroken), parameters_of(resumed));
  EXPECT_EQ(other.steps(), 4);
}

TEST(AdamW, RefusesStateThatDoesNotFit) {
  DistilBert model = tiny_model();
  AdamW optimizer(model, {});
  std::vector<float> few(3);
  EXPECT_THROW(optimizer.set_moments(few, few, 1), std::invalid_argument);
  EXPECT_THROW(optimizer.get_state(model.layout().size - 2, few, few, few), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::model
