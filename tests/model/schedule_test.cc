#include "model/schedule.h"

#include <gtest/gtest.h>

namespace lockstep::model {
namespace {

TEST(LearningRateSchedule, RisesOverWarmupThenFallsToZeroAtTheEnd) {
  const LearningRateSchedule schedule = {.peak = 8.0, .warmup_steps = 4, .total_steps = 12};
  EXPECT_EQ(schedule.at(0), 0.0);
  EXPECT_EQ(schedule.at(1), 2.0);
  EXPECT_EQ(schedule.at(3), 6.0);
  EXPECT_EQ(schedule.at(4), 8.0);
  EXPECT_EQ(schedule.at(8), 4.0);
  EXPECT_EQ(schedule.at(11), 1.0);
  EXPECT_EQ(schedule.at(12), 0.0);
}

TEST(LearningRateSchedule, StaysZeroPastTheEnd) {
  EXPECT_EQ((LearningRateSchedule{.peak = 1.0, .total_steps = 2}.at(5)), 0.0);
}

TEST(LearningRateSchedule, WithoutWarmupStartsAtThePeak) {
  EXPECT_EQ((LearningRateSchedule{.peak = 1.0, .total_steps = 4}.at(0)), 1.0);
}

TEST(LearningRateSchedule, ConstantKeepsThePeakAfterWarmup) {
  const LearningRateSchedule schedule = {.peak = 3.0, .warmup_steps = 3, .total_steps = 6, .decay = Decay::kNone};
  EXPECT_EQ(schedule.at(1), 1.0);
  EXPECT_EQ(schedule.at(3), 3.0);
  EXPECT_EQ(schedule.at(100), 3.0);
}

/// transformers' get_cosine_schedule_with_warmup(warmup 4, total 12), num_cycles 0.5, times 8.
TEST(LearningRateSchedule, CosineFallsAsTransformersDoes) {
  const LearningRateSchedule schedule = {.peak = 8.0, .warmup_steps = 4, .total_steps = 12, .decay = Decay::kCosine};
  EXPECT_EQ(schedule.at(1), 2.0);
  EXPECT_EQ(schedule.at(4), 8.0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 7.695518130045147);
  EXPECT_DOUBLE_EQ(schedule.at(8), 4.0);
  EXPECT_DOUBLE_EQ(schedule.at(11), 0.3044818699548531);
  EXPECT_EQ(schedule.at(12), 0.0);
  EXPECT_EQ(schedule.at(20), 0.0);
}

TEST(LearningRateSchedule, WarmupAsLongAsTheRunNeverDividesByZero) {
  const LearningRateSchedule schedule = {.peak = 2.0, .warmup_steps = 2, .total_steps = 2};
  EXPECT_EQ(schedule.at(1), 1.0);
  EXPECT_EQ(schedule.at(2), 0.0);
}

}  // namespace
}  // namespace lockstep::model
