#include "launcher/loop/advice.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

EvalRecord evaluation(int64_t epoch, double training_loss, double loss) {
  EvalRecord record;
  record.step = epoch * 100;
  record.epoch = static_cast<double>(epoch);
  record.training_loss = training_loss;
  record.result.loss = loss;
  return record;
}

std::vector<TrainRecord> training(const std::vector<double>& losses) {
  std::vector<TrainRecord> records;
  for (const double loss : losses)
    records.push_back({static_cast<int64_t>(records.size() + 1) * 10, 0, loss, 1, 1e-5});
  return records;
}

TEST(Advice, ThePublishedRunIsToldToKeepEpochTwo) {
  const auto advice = advise(
      {}, {evaluation(1, .45, .3436), evaluation(2, .30, .2896), evaluation(3, .2, .3330), evaluation(4, .1, .4378)},
      2);
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_EQ(advice[0].topic, "overfitting");
  EXPECT_NE(advice[0].text.find("Epoch 2.00 is the one to keep"), std::string::npos) << advice[0].text;
}

TEST(Advice, AHealthyRunGetsNone) {
  EXPECT_TRUE(advise(training({.7, .6, .5, .45, .4, .38, .36, .35}),
                     {evaluation(1, .5, .4), evaluation(2, .4, .35), evaluation(3, .3, .34)}, 2)
                  .empty());
}

TEST(Advice, OneWorseEvaluationIsNotYetATrend) {
  EXPECT_TRUE(advise({}, {evaluation(1, .5, .4), evaluation(2, .4, .35), evaluation(3, .3, .36)}, 2).empty());
}

TEST(Advice, SwingingTrainingLossSuggestsALowerRate) {
  const auto advice = advise(training({.7, 1.4, .5, 1.3, .6, 1.5, .7, 1.4}), {}, 2);
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_NE(advice[0].text.find("--learning_rate"), std::string::npos);
}

TEST(Advice, NoiseOfSmallBatchesIsNotOscillation) {
  EXPECT_TRUE(advise(training({.42, .35, .44, .33, .41, .36, .39, .34}), {}, 2).empty());
}

TEST(Advice, LossesAtChanceSuggestLookingAtTheLabels) {
  const auto advice = advise({}, {evaluation(1, .694, .693), evaluation(2, .693, .694)}, 2);
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_EQ(advice[0].topic, "chance");
}

TEST(Advice, ASlowStartIsNotChance) {
  EXPECT_TRUE(advise({}, {evaluation(1, .6925, .6891), evaluation(2, .6780, .6865)}, 2).empty());
}

TEST(Advice, NearlyOneClassIsNamed) {
  const auto warnings = advise_on_labels({2, 998}, {"neg", "pos"});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("99.8 %"), std::string::npos);
  EXPECT_TRUE(advise_on_labels({150, 150}, {"neg", "pos"}).empty());
}

TEST(Advice, AClassWithoutExamplesIsNamed) {
  EXPECT_NE(advise_on_labels({10, 10, 0}, {"a", "b", "c"}).at(0).find("labelled c"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
