#include "launcher/run_plan.h"

#include <gtest/gtest.h>

#include "launcher/errors.h"
#include "launcher/loop/best_model.h"
#include "launcher/machine.h"

namespace lockstep {
namespace {

TEST(RunPlan, TheReferenceRunHas188StepsAnEpoch) {
  TrainOptions options;
  options.global_batch_size = 16;
  options.num_train_epochs = 11;
  for (const int world_size : {1, 2, 3, 4}) {
    const RunPlan plan = make_run_plan(options, 3000, world_size);
    EXPECT_EQ(plan.steps_per_epoch, 188);
    EXPECT_EQ(plan.total_steps, 2068);
    EXPECT_EQ(plan.epoch_at(376), 2.0);
  }
}

TEST(RunPlan, WithoutAGlobalBatchTheDeviceBatchMultipliesAsInHuggingFace) {
  TrainOptions options;
  options.per_device_train_batch_size = 4;
  options.gradient_accumulation_steps = 2;
  EXPECT_EQ(make_run_plan(options, 100, 3).global_batch, 24);
}

// accelerate#2142, #2926, transformers#24088: on N GPUs the learning rate fell N times too fast.
TEST(NeverAgain, TheScheduleDoesNotDependOnTheNumberOfRanks) {
  TrainOptions options;
  options.global_batch_size = 16;
  options.warmup_steps = 0.1;
  const RunPlan one = make_run_plan(options, 3000, 1);
  for (const int world_size : {2, 3, 4, 8, 16}) {
    const RunPlan plan = make_run_plan(options, 3000, world_size);
    for (int64_t step = 0; step <= one.total_steps; ++step)
      ASSERT_EQ(plan.schedule.at(step), one.schedule.at(step)) << world_size << " ranks, step " << step;
  }
}

TEST(RunPlan, MaxStepsOverrulesEpochs) {
  TrainOptions options;
  options.max_steps = 7;
  EXPECT_EQ(make_run_plan(options, 3000, 1).total_steps, 7);
}

TEST(RunPlan, AFractionOfAnEpochEndsInTheMiddle) {
  TrainOptions options;
  options.global_batch_size = 10;
  options.num_train_epochs = 1.5;
  const RunPlan plan = make_run_plan(options, 100, 1);
  EXPECT_EQ(plan.total_steps, 15);
  EXPECT_EQ(plan.epochs, 2);
}

TEST(RunPlan, WarmupBelowOneIsARatio) {
  TrainOptions options;
  options.max_steps = 200;
  options.warmup_steps = 0.1;
  EXPECT_EQ(make_run_plan(options, 3000, 1).schedule.warmup_steps, 20);
  options.warmup_steps = 30;
  EXPECT_EQ(make_run_plan(options, 3000, 1).schedule.warmup_steps, 30);
}

TEST(RunPlan, WarmupStepsLoseTheirFractionAsInHuggingFace) {
  TrainOptions options;
  options.warmup_steps = 1.5;
  EXPECT_EQ(make_run_plan(options, 3000, 1).schedule.warmup_steps, 1);
}

TEST(RunPlan, AnEmptySplitIsRefused) {
  EXPECT_THROW(make_run_plan({}, 0, 1), SettingsError);
}

EvalResult result_with_loss(double loss) {
  EvalResult result;
  result.loss = loss;
  result.metrics.accuracy = 1 - loss;
  return result;
}

TEST(BestModel, KeepsTheLowestLoss) {
  BestModel best("loss", 0, 0);
  EXPECT_TRUE(best.observe(result_with_loss(0.4), 10, 1));
  EXPECT_TRUE(best.observe(result_with_loss(0.3), 20, 2));
  EXPECT_FALSE(best.observe(result_with_loss(0.35), 30, 3));
  EXPECT_EQ(best.step(), 20);
  EXPECT_FALSE(best.should_stop());
}

TEST(BestModel, KeepsTheHighestAccuracy) {
  BestModel best("accuracy", 0, 0);
  best.observe(result_with_loss(0.4), 10, 1);
  EXPECT_FALSE(best.observe(result_with_loss(0.5), 20, 2));
  EXPECT_EQ(best.value(), 0.6);
}

TEST(BestModel, StopsAfterPatienceRunsOut) {
  BestModel best("loss", 2, 0);
  for (const double loss : {0.4, 0.5, 0.3, 0.3})
    best.observe(result_with_loss(loss), 1, 1);
  EXPECT_FALSE(best.should_stop());
  best.observe(result_with_loss(0.31), 5, 5);
  EXPECT_TRUE(best.should_stop());
}

TEST(BestModel, AGainBelowTheThresholdIsKeptButDoesNotReset) {
  BestModel best("loss", 1, 0.1);
  best.observe(result_with_loss(0.40), 1, 1);
  EXPECT_TRUE(best.observe(result_with_loss(0.35), 2, 2));
  EXPECT_TRUE(best.should_stop());
}

TEST(BestModel, IsLostUntilAnEvaluationIsAsGood) {
  BestModel best("loss", 2, 0);
  best.observe(result_with_loss(0.4), 1, 1);
  const BestModel::State before = best.state();
  best.observe(result_with_loss(0.2), 2, 2);
  best.lose(2, before);
  EXPECT_EQ(best.step(), 1);
  EXPECT_EQ(best.lost_step(), 2);
  EXPECT_TRUE(best.observe(result_with_loss(0.3), 3, 3));
  EXPECT_EQ(best.lost_step(), 2) << "the lost one was better";
  best.lose(3, before);
  EXPECT_EQ(best.lost_step(), 2) << "likewise";
  best.observe(result_with_loss(0.25), 4, 4);
  EXPECT_EQ(best.lost_step(), 2) << "likewise";
  EXPECT_TRUE(best.observe(result_with_loss(0.2), 5, 5));
  EXPECT_EQ(best.lost_step(), -1);
}

TEST(Machine, AGpuThatCudaDoesNotShowIsOutOfReachUnlessItWasHidden) {
  EXPECT_TRUE(is_gpu_out_of_reach(0, 2, {}));
  EXPECT_TRUE(is_gpu_out_of_reach(0, 2, {{"CUDA_VISIBLE_DEVICES", "0,1"}}));  // as batch systems set it
  EXPECT_FALSE(is_gpu_out_of_reach(2, 2, {}));
  EXPECT_FALSE(is_gpu_out_of_reach(0, 0, {}));  // a machine without GPUs, or a build for CPUs
  EXPECT_FALSE(is_gpu_out_of_reach(0, 2, {{"CUDA_VISIBLE_DEVICES", ""}}));
  EXPECT_FALSE(is_gpu_out_of_reach(0, 2, {{"CUDA_VISIBLE_DEVICES", "-1"}}));
}

TEST(Machine, AskedThreadsAreTaken) {
  EXPECT_EQ(plan_threads(3, 2).per_rank, 3);
}

}  // namespace
}  // namespace lockstep
