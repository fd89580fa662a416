// Runs that write checkpoints and are asked to stop, or meet a slow or full disk, or NaN.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <functional>
#include <thread>

#include "data/sampler.h"
#include "tests/end_to_end/checkpoint_job.h"
#include "tests/support/require.h"
#include "tests/support/small_disk.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using tests::becomes_true;
using tests::CheckpointJob;
using tests::Outcome;
using tests::SmallDisk;

/// What becomes of a training to which something happens once there is a sign.
Outcome meanwhile(const std::function<Outcome()>& train, const std::function<bool()>& sign,
                  const std::function<void()>& deed) {
  Outcome outcome;
  std::thread training([&] { outcome = train(); });
  EXPECT_TRUE(becomes_true(sign, tests::kPatience));
  deed();
  training.join();
  return outcome;
}

/// Leaves so many bytes free.
void fill(const std::string& disk, uint64_t left) {
  std::ofstream(disk + "/ballast") << std::string(fs::space(disk).available - left, 'x');
}

TEST_F(CheckpointJob, AStopOnRequestSavesAndSaysHowToGoOn) {
  const auto job = launch(2, {"--save_strategy", "epoch"});
  ASSERT_TRUE(comes_to_train()) << job->output();
  job->signal(SIGINT);
  EXPECT_EQ(job->exit_code(), kStopped);
  EXPECT_THAT(job->output(), EndsWith("to go on: the same command with --resume_from_checkpoint auto\n"));
  ASSERT_FALSE(valid_ones().empty());
  const int64_t step = valid_ones().front().manifest->step;
  EXPECT_THAT(job->output(), HasSubstr("stopped on request after step " + std::to_string(step) + " of"));
}

TEST_F(CheckpointJob, AStopOnRequestInAnyPhaseLeavesACheckpointOfTheStepThatAllStoppedAfter) {
  for (const char* point : {"loaded:1:1", "step:1:5", "step:1:14", "evaluating:0:1", "evaluating:0:4", "snapshot:1:1",
                            "shard-middle:1:2", "collected:0:1", "before-manifest:0:1", "after-rename:0:2"}) {
    SCOPED_TRACE(point);
    fs::remove_all(run_folder());
    const Outcome stopped = train(2, "", "LOCKSTEP_FAILPOINT=" + std::string(point) + ":usr1");
    EXPECT_EQ(stopped.exit_code, kStopped) << stopped.output;
    ASSERT_FALSE(valid_ones().empty());
    EXPECT_EQ(valid_ones().size(), list_checkpoints(run_folder()).size());
    const std::string step = std::to_string(valid_ones().front().manifest->step);
    EXPECT_THAT(stopped.output, HasSubstr("stopped on request after step " + step + " of 14;"));
    expect_that_it_ends_as_if_unbroken();
  }
}

TEST_F(CheckpointJob, AStopOnRequestAfterTheLastStepChangesNothing) {
  EXPECT_EQ(train(2, "", "LOCKSTEP_FAILPOINT=trained:1:1:usr1").exit_code, kDone);
  EXPECT_EQ(model() == unbroken_model(), true);
  EXPECT_EQ(valid_ones().front().manifest->step, 14);
}

TEST_F(CheckpointJob, TermLetsACommitEndAndNoOtherBegin) {
  const Outcome ended = train(1, "", "LOCKSTEP_FAILPOINT=before-manifest:0:2:term");
  EXPECT_EQ(ended.exit_code, 128 + SIGTERM) << ended.output;
  ASSERT_EQ(list_checkpoints(run_folder()).size(), 2u);
  EXPECT_EQ(valid_ones().size(), 2u) << "the second was being committed";
}

TEST_F(CheckpointJob, TermInTheMiddleOfAShardDropsIt) {
  const Outcome ended = train(2, "", "LOCKSTEP_FAILPOINT=shard-middle:1:4:term");
  EXPECT_EQ(ended.exit_code, 128 + SIGTERM) << ended.output;
  EXPECT_EQ(valid_ones().size(), 1u);
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(CheckpointJob, ASecondTermDoesNotWaitForTheCommit) {
  EXPECT_EQ(train(1, "", "LOCKSTEP_FAILPOINT=before-manifest:0:2:term-twice").exit_code, 128 + SIGTERM);
  EXPECT_EQ(list_checkpoints(run_folder()).size(), 1u);
}

TEST_F(CheckpointJob, TermToMpirunInTheMiddleOfAShardLeavesNobodyAndDropsIt) {
  tests::Background job({"sh", "-c",
                         "exec env OMP_NUM_THREADS=1 LOCKSTEP_FAILPOINT=shard-middle:1:4:slow mpirun "
                         "--allow-run-as-root --oversubscribe --bind-to none -np 2 " +
                             tests::quoted(tests::environment("LOCKSTEP_BINARY")) + " " + arguments(run_folder())},
                        world_->path("output.txt"));
  ASSERT_TRUE(becomes_true([] { return fs::exists(run_folder() + "/checkpoint-3"); }, tests::kPatience));
  job.signal(SIGTERM);
  EXPECT_TRUE(all_are_gone(5)) << job.output();
  EXPECT_EQ(job.exit_code(), 1) << job.output();  // mpirun's own
  EXPECT_EQ(list_checkpoints(run_folder()).size(), 1u);
  EXPECT_EQ(valid_ones().size(), 1u);
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(CheckpointJob, StepsGoOnWhileAShardIsFlushed) {
  const Outcome outcome = train(2, "", "LOCKSTEP_FAILPOINT=flush:1:1:slow");
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  for (const char* step : {"6", "9", "12"})  // the shard of step 3 is 3 s late, and a step takes milliseconds
    EXPECT_THAT(outcome.output,
                HasSubstr(std::string("no checkpoint of step ") + step + ": that of step 3 is still being written"));
  EXPECT_THAT(outcome.output, HasSubstr("3 checkpoints were left out"));
  EXPECT_EQ(valid_ones().size(), 2u);
}

TEST_F(CheckpointJob, NanOnOneRankIsNamedAndNeverSaved) {
  const TrainingData data = world_->training_data();
  const int64_t example = data::epoch_order(data.train_examples, 42, 0).at(4 * 8 + 3);  // of the fifth step
  const Outcome outcome = train(2, "", "LOCKSTEP_NAN_EXAMPLE=" + std::to_string(example));
  EXPECT_EQ(outcome.exit_code, kNumeric) << outcome.output;
  EXPECT_THAT(outcome.output,
              testing::ContainsRegex("step 5: loss [-0-9.]+, gradient norm -?nan \\(rank [01]: examples " +
                                     std::to_string(example) + "\\); the update was withheld"));
  EXPECT_THAT(outcome.output, HasSubstr("; --output_dir holds the model of step 4; the training can go on from "
                                        "checkpoint-3 with a lower --learning_rate and --allow_change learning_rate"));
  EXPECT_EQ(valid_ones().front().manifest->step, 3);
  EXPECT_EQ(list_checkpoints(run_folder()).size(), 1u);
}

TEST_F(CheckpointJob, AFailedSaveIsToldAndTheTrainingGoesOn) {
  const Outcome outcome = train(2, "", "LOCKSTEP_FAILPOINT=shard-flushed:1:1:full");
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no checkpoint of step 3: rank 1: "));
  EXPECT_THAT(outcome.output, HasSubstr("1 checkpoint could not be written: "));
  EXPECT_EQ(valid_ones().front().manifest->step, 14);
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(CheckpointJob, OlderOnesStayIfTheNewestCannotBeReadBack) {
  const std::string gate = world_->path("gate"), oldest = run_folder() + "/checkpoint-3";
  std::string newest;  // of step 6, or of a later one if the first one took long
  const auto second_is_there = [&] {
    for (const char* step : {"6", "8"})
      if (fs::exists(run_folder() + "/checkpoint-" + step)) newest = run_folder() + "/checkpoint-" + step;
    return !newest.empty();
  };
  const auto damage_it = [&] {
    std::fstream(newest + "/history.jsonl", std::ios::in | std::ios::out) << "x";
    std::ofstream(gate) << "open";
  };
  const std::string held = "LOCKSTEP_FAILPOINT_GATE=" + gate + " LOCKSTEP_FAILPOINT=after-rename:0:2:hold";
  const Outcome outcome =
      meanwhile([&] { return train(1, "--save_total_limit 1 --max_steps 8", held); }, second_is_there, damage_it);
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_THAT(outcome.output,
              HasSubstr("an old checkpoint could not be removed: " + newest + " was written, and is damaged: "));
  if (newest == run_folder() + "/checkpoint-8") {
    EXPECT_TRUE(fs::exists(oldest)) << "no later one has made it surplus";
  }
}

TEST_F(CheckpointJob, AnEpochsEndSaysThatEachExampleCameOnce) {
  EXPECT_THAT(train(2).output, testing::ContainsRegex("epoch 1.00, step 5: trained in .*, each of 40 examples once\n"));
}

TEST_F(CheckpointJob, WithoutItsLastCheckpointARunDoesNotEndWell) {
  const Outcome outcome = train(2, "--save_steps 99", "LOCKSTEP_FAILPOINT=before-rename:0:1:full");
  EXPECT_EQ(outcome.exit_code, kStorage) << outcome.output;
  EXPECT_TRUE(fs::exists(run_folder() + "/all_results.json"));
}

TEST_F(CheckpointJob, ADiskWithoutRoomForOneCheckpointIsRefusedBeforeTheTraining) {
  const std::string disk = world_->path("too_small_disk");
  const SmallDisk mounted(disk, "size=3m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  std::ofstream(disk + "/ballast") << std::string(2'300'000, 'x');
  const Outcome refused = train(2, "", "", disk + "/run");
  EXPECT_EQ(refused.exit_code, kStorage) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("and a checkpoint ("));
  EXPECT_THAT(refused.output, testing::Not(HasSubstr("Running training")));
  EXPECT_EQ(train(1, "--save_strategy no --eval_strategy no", "", disk + "/run").exit_code, kDone);
}

TEST_F(CheckpointJob, ADiskThatIsOnlyReadIsNamedBeforeTheFirstStep) {
  const std::string disk = world_->path("read_only_disk"), run = disk + "/run";
  const SmallDisk mounted(disk, "size=8m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  ASSERT_EQ(train(2, "", "", run).exit_code, kDone);
  ASSERT_EQ(mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const Outcome anew = train(2, "", "", disk + "/new"), on = train(2, tests::kResume, "", run);
  for (const Outcome& outcome : {anew, on}) {
    EXPECT_EQ(outcome.exit_code, kStorage) << outcome.output;
    EXPECT_THAT(outcome.output, testing::Not(HasSubstr("Running training")));
  }
  EXPECT_THAT(anew.output, EndsWith("error: --output_dir " + disk + "/new cannot be made: Read-only file system\n"));
  EXPECT_THAT(on.output, EndsWith("error: cannot write " + run + "/train.log: Read-only file system\n"));
}

TEST_F(CheckpointJob, ADiskWithoutRoomForAllCheckpointsIsWarnedOf) {
  const std::string disk = world_->path("small_disk");
  const SmallDisk mounted(disk, "size=4m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  const Outcome outcome = train(1, "--save_steps 2 --max_steps 2", "", disk + "/run");
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_THAT(outcome.output, testing::Not(HasSubstr("MB are free there")));
  const Outcome more = train(1, "--save_steps 1 --overwrite_output_dir", "", disk + "/run");
  EXPECT_THAT(more.output, HasSubstr("this run will have up to 14 at a time"));
}

TEST_F(CheckpointJob, ADiskThatIsFullBeforeTheFirstSaveCostsCheckpointsAndNotTheTraining) {
  const std::string disk = world_->path("disk"), metrics = disk + "/run/metrics.jsonl";
  const SmallDisk mounted(disk, "size=4m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  const Outcome full = meanwhile([&] { return train(2, "", "LOCKSTEP_FAILPOINT=step:0:2:slow", disk + "/run"); },
                                 [&] { return !tests::read_file(metrics).empty(); }, [&] { fill(disk, 700'000); });
  EXPECT_EQ(full.exit_code, kStorage) << full.output;
  EXPECT_THAT(full.output, HasSubstr("no checkpoint of step 3: "));
  EXPECT_THAT(full.output, testing::ContainsRegex("epoch 1.00, step 5: .*; the last checkpoint failed\n"));
  EXPECT_THAT(full.output, HasSubstr("trained 14 steps"));
}

TEST_F(CheckpointJob, ADiskThatTakesNoLogLetsTheTrainingEndAndTellsSo) {
  const std::string disk = world_->path("disk_without_a_log"), run = disk + "/run";
  const SmallDisk mounted(disk, "size=4m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  constexpr const char* kSettings = "--save_strategy no --eval_strategy no --max_steps 100";
  const Outcome full =
      meanwhile([&] { return train(2, kSettings, "LOCKSTEP_FAILPOINT=step:0:2:slow", run); },
                [&] { return !tests::read_file(run + "/metrics.jsonl").empty(); }, [&] { fill(disk, 0); });
  EXPECT_EQ(full.exit_code, kStorage) << full.output;
  EXPECT_THAT(full.output, HasSubstr("warning: cannot write " + run + "/metrics.jsonl: No space left on device\n"));
  EXPECT_THAT(full.output, HasSubstr("warning: lines are missing in the log: Failed "));
  EXPECT_EQ(full.output.find("missing in the log"), full.output.rfind("missing in the log")) << "once";
  EXPECT_THAT(full.output, testing::Not(HasSubstr("LOG ERROR"))) << "spdlog's own words are not escaped";
  EXPECT_THAT(full.output, EndsWith("model.safetensors: cannot be written: No space left on device\n"));
  EXPECT_THAT(tests::read_file(run + "/metrics.jsonl"), testing::Not(HasSubstr("\"step\":100,")));
}

TEST_F(CheckpointJob, ADiskWithoutRoomForAnEvaluatedModelCostsThatModelAndNotTheTraining) {
  const std::string disk = world_->path("disk_without_a_model"), run = disk + "/run";
  const SmallDisk mounted(disk, "size=4m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  constexpr const char* kSettings = "--save_strategy no --load_best_model_at_end --metric_for_best_model loss";
  const Outcome outcome =
      meanwhile([&] { return train(2, kSettings, "LOCKSTEP_FAILPOINT=publishing:0:2:slow", run); },
                [&] { return fs::exists(run + "/model.safetensors"); }, [&] { fill(disk, 100'000); });
  EXPECT_EQ(outcome.exit_code, kStorage) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("the model of step 8 is not in --output_dir: "));
  EXPECT_THAT(outcome.output, HasSubstr("trained 14 steps"));
  EXPECT_TRUE(fs::exists(run + "/all_results.json"));
}

TEST_F(CheckpointJob, ADiskThatFillsUpInTheMiddleOfAShardCostsThatCheckpoint) {
  const std::string disk = world_->path("filling_disk"), run = disk + "/run";
  const SmallDisk mounted(disk, "size=4m");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  constexpr const char* kNoModelMeanwhile = "--eval_strategy no";  // one that is replaced would free space again
  std::string step;  // of the second save: 6, or a later one if the first one took long
  const auto second_shard_is_open = [&] {
    for (const auto& entry : fs::directory_iterator(run, ignored_)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(".checkpoint-") || !fs::exists(run + "/checkpoint-3") ||
          fs::is_empty(entry.path(), ignored_))
        continue;
      step = name.substr(12, name.find('.', 12) - 12);
    }
    return !step.empty() && step != "3";
  };
  // Less than a shard is left, and more than the model and the results need at the end.
  const Outcome outcome =
      meanwhile([&] { return train(1, kNoModelMeanwhile, "LOCKSTEP_FAILPOINT=shard-open:0:2:slow", run); },
                second_shard_is_open, [&] { fill(disk, 290'000); });
  EXPECT_EQ(outcome.exit_code, kStorage) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no checkpoint of step " + step + ": rank 0: cannot write "));
  EXPECT_THAT(outcome.output, HasSubstr("No space left on device"));
  EXPECT_THAT(outcome.output, HasSubstr("trained 14 steps"));
  const std::vector<StoredCheckpoint> stored = list_checkpoints(run);
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored.front().manifest->step, 3);
  EXPECT_EQ(problem_with(stored.front(), true), std::nullopt);
}

}  // namespace
}  // namespace lockstep
