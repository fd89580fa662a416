// Which model a run delivers after it was stopped, or where the disk does not take one.
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/launcher/resumed_training.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using tests::kNever;
using tests::kSteps;
using tests::Resume;
using tests::Trained;

TEST_F(Resume, WithoutEvaluationsTheLastStepsModelIsDelivered) {
  train({}, 10);
  TrainOptions options = Resume::options();
  options.eval_strategy = "no";
  const Trained after = train(checkpoint(10), kNever, options);
  if (job_->is_main()) {
    EXPECT_EQ(after.published, std::vector<int64_t>{kSteps});
  }
}

TEST_F(Resume, ABestModelThatTheCheckpointDoesNotHoldIsForgotten) {
  train({}, 6);
  TrainOptions options = Resume::options();
  options.load_best_model_at_end = true;
  const Trained after = train(checkpoint(6), kNever, options);
  EXPECT_GT(after.summary.best.step(), 6);
  if (job_->is_main()) {
    EXPECT_EQ(after.published.back(), after.summary.best.step());
  }
}

TEST_F(Resume, ABestModelOfOtherEvaluationExamplesIsForgotten) {
  TrainOptions options = Resume::options();
  options.load_best_model_at_end = true;
  train({}, 6, options);
  StoredCheckpoint start = checkpoint(6);
  ASSERT_EQ(start.manifest->training["best"]["step"], 4);
  start.manifest->training["best"]["value"] = 2.0;  // more than any accuracy
  EXPECT_EQ(train(start, kNever, options).summary.best.step(), 4);
  start.manifest->facts["max_eval_samples"] = "-01";
  EXPECT_EQ(train(start, kNever, options).summary.best.step(), 4) << "the same number";
  start.manifest->facts["max_eval_samples"] = "3";
  EXPECT_GT(train(start, kNever, options).summary.best.step(), 6);
}

TEST_F(Resume, ARunThatIsDoneIsEvaluatedAnewOnOtherEvaluationExamples) {
  TrainOptions options = Resume::options();
  options.load_best_model_at_end = true;
  train({}, kNever, options);
  StoredCheckpoint start = checkpoint(kSteps);
  start.manifest->facts["max_eval_samples"] = "3";
  const Trained again = train(start, kNever + 1, options);  // who is asked to stop does not evaluate
  EXPECT_EQ(again.summary.best.step(), kSteps);
  if (job_->is_main()) {
    EXPECT_EQ(again.published, std::vector<int64_t>{kSteps});
  }
}

TEST_F(Resume, AModelThatTheDiskDoesNotTakeEndsNoTraining) {
  full_disk_at_ = 4;
  const Trained trained = train();
  EXPECT_EQ(trained.summary.steps, kSteps);
  EXPECT_EQ(trained.summary.best.lost_step(), -1) << "the last one is delivered";
  full_disk_at_ = kSteps;
  if (job_->world_size() == 1) {
    EXPECT_THROW(train(), std::system_error) << "none is";
  }
}

class ResumeWithBest : public Resume {
 protected:
  /// The tiny model's loss is the least at step 4, the first evaluation.
  static TrainOptions options() {
    TrainOptions options = Resume::options();
    options.load_best_model_at_end = true;
    options.metric_for_best_model = "loss";
    return options;
  }
};

TEST_F(ResumeWithBest, ABestModelThatTheDiskDoesNotTakeIsNotTheBest) {
  full_disk_at_ = 4;
  const Trained trained = train({}, kNever, options());
  EXPECT_EQ(trained.summary.steps, kSteps);
  EXPECT_EQ(trained.summary.best.lost_step(), 4);
  EXPECT_GT(trained.summary.best.step(), 4);
  if (job_->is_main()) {
    EXPECT_EQ(trained.published.back(), trained.summary.best.step());
  }
}

TEST_F(ResumeWithBest, ALostBestModelIsKnownWhereTheTrainingGoesOn) {
  full_disk_at_ = 4;
  EXPECT_EQ(train({}, 6, options()).summary.best.lost_step(), 4);
  EXPECT_EQ(train(checkpoint(6), kNever, options()).summary.best.lost_step(), 4);
}

TEST_F(ResumeWithBest, ABestModelThatSomebodyWroteIntoDoesNotSpoilTheNextCheckpoint) {
  TrainOptions options = ResumeWithBest::options();
  options.save_steps = 6;
  const auto first = fs::path(folder_) / "checkpoint-6";
  after_step_ = [&](int64_t step) {
    if (step < 7 || !job_->is_main()) return;  // whose steps the others wait for
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (step == 11) std::fstream(first / kBestModelName).seekp(100).put('x');
  };
  train({}, kNever, options);
  EXPECT_TRUE(problem_with(checkpoint(6), true));
  EXPECT_EQ(problem_with(checkpoint(kSteps), true), std::nullopt);
}

/// A long evaluation must not keep a checkpoint from its name that all ranks have written by then.
TEST_F(Resume, ACheckpointGetsItsNameWhileAnEvaluationRuns) {
  TrainOptions options = Resume::options();
  options.save_steps = 3;
  after_step_ = [](int64_t step) {
    if (step == 4) std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the shards of step 3 are written
  };
  on_publishing_ = [&](int64_t step) {
    const auto is_there = [&] { return fs::exists(fs::path(folder_) / "checkpoint-3"); };
    for (int i = 0; i < 100 && step == 4 && !is_there(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_TRUE(step != 4 || is_there());
  };
  train({}, kNever, options);
}

}  // namespace
}  // namespace lockstep
