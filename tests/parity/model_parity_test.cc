// Logits, loss, gradients and training against DistilBertForSequenceClassification of transformers, live.
#include <gtest/gtest.h>

#include <cmath>

#include "model/optimizer.h"
#include "model/schedule.h"
#include "model/weights.h"
#include "tests/parity/reference_batch.h"
#include "tests/support/require.h"

namespace lockstep::model {
namespace {

/// model_reference.py's training run.
constexpr int kSteps = 60;
constexpr int kBatch = 8;
constexpr int kSnapshot = 30;
constexpr LearningRateSchedule kSchedule = {.peak = 1e-3, .warmup_steps = 3, .total_steps = kSteps};

class ModelParity : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    LOCKSTEP_NEEDS("transformers", has_reference(), "model_reference.py could not run");
    folder_ = kReference / GetParam();
    reference_ = std::make_unique<SafetensorsFile>(SafetensorsFile::open(folder_ / "reference.safetensors"));
    model_ = std::make_unique<DistilBert>(load_config(folder_), "cpu");
    report_ = load_weights(*model_, folder_, 0);
  }

  /// ||ours - theirs|| / ||theirs|| of one parameter's part of a flat vector.
  double relative_difference(std::span<const float> flat, const ParameterSlot& slot, const std::string& prefix) const {
    const std::vector<float> theirs = reference_->floats(prefix + slot.name);
    double difference = 0;
    double norm = 0;
    for (int64_t i = 0; i < slot.size; ++i) {
      difference += std::pow(static_cast<double>(flat[slot.offset + i]) - theirs[i], 2);
      norm += std::pow(static_cast<double>(theirs[i]), 2);
    }
    return std::sqrt(difference / norm);
  }

  std::filesystem::path folder_;
  std::unique_ptr<SafetensorsFile> reference_;
  std::unique_ptr<DistilBert> model_;
  LoadReport report_;
};

/// A key's bias adds the same number to a whole row of scores, which softmax takes out again: its true gradient is
/// zero, and what either program computes for it is rounding, which Adam then scales up to full steps.
bool has_zero_gradient(const ParameterSlot& slot) {
  return slot.name.ends_with("k_lin.bias");
}

TEST_P(ModelParity, EveryTensorOfTheFolderIsUsed) {
  EXPECT_TRUE(report_.newly_initialized.empty());
  EXPECT_TRUE(report_.unused.empty());
  EXPECT_FALSE(report_.folded_from_bert);
}

TEST_P(ModelParity, LogitsOfARaggedBatchAgree) {
  const std::vector<float> theirs = reference_->floats("logits");
  const std::vector<float> ours = model_->logits(ReferenceBatch(*reference_, "").input());
  ASSERT_EQ(ours.size(), theirs.size());
  // float32 sums in another order, three layers, logits of order one: some 1e-6.
  for (size_t i = 0; i < ours.size(); ++i)
    EXPECT_NEAR(ours[i], theirs[i], 5e-6) << "logit " << i;
}

TEST_P(ModelParity, LossAndEveryGradientAgree) {
  const ReferenceBatch batch(*reference_, "");
  const auto examples = static_cast<double>(batch.labels.size());
  const double loss = model_->forward_backward(batch.input(), 0, 0, 1 / examples) / examples;
  EXPECT_NEAR(loss, reference_->floats("loss")[0], 2e-5);
  for (const ParameterSlot& slot : model_->layout().slots) {
    if (has_zero_gradient(slot)) continue;
    // Sums over 7 x 60 tokens in another order: some 1e-6, more where terms cancel.
    EXPECT_LE(relative_difference(model_->gradients(), slot, "gradient."), 1e-5) << slot.name;
  }
}

TEST_P(ModelParity, WeightDecayFallsOnTheParametersThatTheTrainerDecays) {
  for (const ParameterSlot& slot : model_->layout().slots)
    EXPECT_EQ(slot.decay, reference_->floats("decay." + slot.name)[0] == 1) << slot.name;
}

TEST_P(ModelParity, TrainingFollowsTorchStepByStep) {
  const ReferenceBatch examples(*reference_, "run.");
  const std::vector<float> losses = reference_->floats("run.losses");
  const std::vector<float> norms = reference_->floats("run.norms");
  std::vector<float> parameters(static_cast<size_t>(model_->layout().size));
  AdamW optimizer(*model_, {.weight_decay = 0.01});
  for (int step = 0; step < kSteps; ++step) {
    const ReferenceBatch batch = examples.slice(step * kBatch, (step + 1) * kBatch);
    EXPECT_NEAR(model_->forward_backward(batch.input(), 0, step, 1.0 / kBatch) / kBatch, losses[step], 1e-5) << step;
    EXPECT_NEAR(optimizer.step(kSchedule.at(step)) / norms[step], 1, 1e-4) << step;
    if (step + 1 == kSnapshot) model_->get_parameters(parameters);
  }
  for (const ParameterSlot& slot : model_->layout().slots) {
    if (has_zero_gradient(slot)) continue;
    EXPECT_LE(relative_difference(parameters, slot, "trained."), 1e-5) << slot.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, ModelParity, testing::Values("gelu", "relu"),
                         [](const auto& variant) { return std::string(variant.param); });

}  // namespace
}  // namespace lockstep::model
