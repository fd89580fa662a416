// Checkpoints of the program as users start it: stopped, killed at any point of a commit, on a full disk, and going on.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "data/sampler.h"
#include "launcher/checkpoint/store.h"
#include "launcher/exit_codes.h"
#include "tests/end_to_end/launched_world.h"
#include "tests/support/require.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using tests::becomes_true;
using tests::Outcome;
using tests::quoted;
using tests::read_file;

constexpr const char* kResume = " --resume_from_checkpoint auto";

class CheckpointJob : public tests::LaunchedWorld {
 protected:
  /// A run of 14 steps; evaluations do not fall on checkpoints.
  static std::string arguments(const std::string& folder) {
    return "train --model_name_or_path " + world_->model_folder() + " --dataset " + world_->dataset_folder() +
           " --output_dir " + folder +
           " --global_batch_size 8 --max_steps 14 --max_seq_length 48 --learning_rate 1e-3 --logging_steps 1"
           " --eval_strategy steps --eval_steps 4 --save_strategy steps --save_steps 3 --disable_tqdm";
  }
  static Outcome train(int ranks, const std::string& more = "", const std::string& environment = "",
                       const std::string& folder = run_folder()) {
    return tests::run(environment + " " + quoted(tests::environment("LOCKSTEP_BINARY")) + " launch -n " +
                      std::to_string(ranks) + " --threads 1 -- " + arguments(folder) + " " + more);
  }
  /// Of a run of two ranks that nothing happens to.
  static const std::string& unbroken_model() {
    static const std::string model = [] {
      EXPECT_EQ(train(2, "", "", world_->path("unbroken")).exit_code, kDone);
      return read_file(world_->path("unbroken") + "/model.safetensors");
    }();
    return model;
  }
  static std::string model() { return read_file(run_folder() + "/model.safetensors"); }
  static void expect_that_it_ends_as_if_unbroken() {
    const Outcome outcome = train(2, kResume);
    EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
    EXPECT_EQ(model() == unbroken_model(), true) << outcome.output;
    for (const auto& entry : fs::directory_iterator(run_folder()))
      EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
    EXPECT_EQ(steps_in_metrics(), (std::vector<int>{1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 12, 13, 14, 14}));
  }
  static std::vector<int> steps_in_metrics() {
    std::vector<int> steps;
    std::istringstream lines(read_file(run_folder() + "/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      steps.push_back(nlohmann::json::parse(line)["step"]);
    return steps;
  }
  static std::vector<StoredCheckpoint> valid_ones() {
    std::vector<StoredCheckpoint> valid;
    for (const StoredCheckpoint& stored : list_checkpoints(run_folder()))
      if (!problem_with(stored, true)) valid.push_back(stored);
    return valid;
  }
  static std::vector<double> losses(const std::string& folder) {
    std::vector<double> losses;
    const std::vector<StoredCheckpoint> stored = list_checkpoints(folder);
    for (const auto& record : stored.front().manifest->training["history"])
      losses.push_back(record["loss"]);
    return losses;
  }
};

TEST_F(CheckpointJob, AKillAtAnyPointOfACommitLosesNothingThatWasCommitted) {
  for (const char* point :
       {"snapshot:0", "snapshot:1", "shard-open:1", "shard-middle:0", "shard-middle:1", "shard-flushed:0",
        "collected:1", "before-manifest:0", "manifest-written:0", "before-rename:0", "after-rename:0"}) {
    SCOPED_TRACE(point);
    fs::remove_all(run_folder());
    const bool each_part = std::string(point).starts_with("shard-middle");  // passed three times in each checkpoint
    const Outcome killed =
        train(2, "", "LOCKSTEP_FAILPOINT=" + std::string(point) + (each_part ? ":5" : ":2") + ":kill");
    EXPECT_EQ(killed.exit_code, 137) << killed.output;
    EXPECT_GE(valid_ones().size(), 1u) << "the first was committed before the second began";
    EXPECT_EQ(valid_ones().size(), list_checkpoints(run_folder()).size()) << "none is half there";
    expect_that_it_ends_as_if_unbroken();
  }
}

TEST_F(CheckpointJob, AKillInAnEvaluationIsNothingThatAutoCannotMend) {
  EXPECT_EQ(train(2, "", "LOCKSTEP_FAILPOINT=evaluating:0:4:kill").exit_code, 137);
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(CheckpointJob, AKillAtAnyMomentIsNothingThatAutoCannotMend) {
  std::mt19937 random(std::random_device{}());
  for (int trial = 0; trial < 2 * tests::repetitions(); ++trial) {
    fs::remove_all(run_folder());
    const auto job =
        launch(2, {"--max_steps", "14", "--num_train_epochs", "3", "--learning_rate", "1e-3", "--eval_strategy",
                   "steps", "--eval_steps", "4", "--save_strategy", "steps", "--save_steps", "3"});
    ASSERT_TRUE(comes_to_train()) << job->output();
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 40));
    const auto victims = ranks();
    if (!victims.empty()) kill(victims[random() % victims.size()].pid, SIGKILL);
    job->exit_code();
    ASSERT_TRUE(all_are_gone(10));
    expect_that_it_ends_as_if_unbroken();
  }
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
  for (const char* point : {"loaded:1:1", "step:1:5", "evaluating:0:1", "evaluating:0:4", "snapshot:1:1",
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
  EXPECT_EQ(valid_ones().front().manifest->step, 3);
  EXPECT_EQ(list_checkpoints(run_folder()).size(), 1u);
}

TEST_F(CheckpointJob, GoesOnWithOtherNumbersOfRanks) {
  ASSERT_EQ(train(1, "", "", world_->path("one")).exit_code, kDone);
  const std::vector<double> expected = losses(world_->path("one"));
  for (const auto& [before, after] : {std::pair(2, 1), std::pair(1, 3), std::pair(3, 2)}) {
    SCOPED_TRACE(std::to_string(before) + " ranks, then " + std::to_string(after));
    fs::remove_all(run_folder());
    EXPECT_EQ(train(before, "", "LOCKSTEP_FAILPOINT=after-rename:0:1:kill").exit_code, 137);
    const Outcome outcome = train(after, kResume);
    EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("ranks: " + std::to_string(before) + " -> " + std::to_string(after)));
    const std::vector<double> found = losses(run_folder());
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-5 * expected[i]) << i;
  }
}

TEST_F(CheckpointJob, AnotherSettingIsShownAndNeedsPermission) {
  ASSERT_EQ(train(1, "", "LOCKSTEP_FAILPOINT=after-rename:0:1:kill").exit_code, 137);
  const Outcome refused = train(1, std::string(kResume) + " --learning_rate 1e-4");
  EXPECT_THAT(refused.output, Not(HasSubstr("resume_from_checkpoint:")));
  EXPECT_EQ(refused.exit_code, kContract);
  EXPECT_THAT(refused.output, HasSubstr("learning_rate: 1e-3 -> 1e-4 (another training)"));
  EXPECT_EQ(train(1, std::string(kResume) + " --seed 1 --allow_change seed").exit_code, kContract);
  EXPECT_EQ(train(1, std::string(kResume) + " --global_batch_size 4").exit_code, kContract);
  const Outcome allowed = train(1, std::string(kResume) + " --learning_rate 1e-4 --allow_change learning_rate");
  EXPECT_EQ(allowed.exit_code, kDone) << allowed.output;
}

TEST_F(CheckpointJob, NoUsableCheckpointIsAnErrorAndNothingIsDeleted) {
  ASSERT_EQ(train(1, "--save_total_limit 1").exit_code, kDone);
  const fs::path shard = valid_ones().front().folder / "shard-00000-of-00001.safetensors";
  fs::resize_file(shard, fs::file_size(shard) - 1);
  const Outcome outcome = train(2, kResume);
  EXPECT_EQ(outcome.exit_code, kCheckpoint);
  EXPECT_THAT(outcome.output, HasSubstr("the manifest says"));
  EXPECT_TRUE(fs::exists(shard));
  EXPECT_EQ(train(1).exit_code, kContract) << "neither is it trained over";
}

TEST_F(CheckpointJob, ListAndVerifyTellWholeOnesFromDamagedOnes) {
  ASSERT_EQ(train(2, "--save_total_limit 2").exit_code, kDone);
  const size_t count = valid_ones().size();
  EXPECT_EQ(tests::lockstep("verify " + run_folder()).exit_code, kDone);
  const fs::path newest = valid_ones().front().folder, shard = newest / "shard-00001-of-00002.safetensors";
  std::string bytes = read_file(shard);
  bytes[bytes.size() / 2] ^= 4;
  std::ofstream(shard, std::ios::binary) << bytes;
  const Outcome verified = tests::lockstep("verify " + run_folder());
  EXPECT_EQ(verified.exit_code, kCheckpoint);
  EXPECT_THAT(verified.output, HasSubstr("DAMAGED, shard-00001-of-00002.safetensors: its sha256 is"));
  EXPECT_THAT(verified.output, EndsWith("error: 1 of " + std::to_string(count) + " checkpoints are damaged\n"));
  const Outcome listed = tests::lockstep("list " + run_folder());
  EXPECT_EQ(listed.exit_code, kDone);
  EXPECT_THAT(listed.output, HasSubstr("checkpoint-14        step 14      2 epochs + 32 examples, 2 shards, "));
  EXPECT_EQ(tests::lockstep("verify " + world_->dataset_folder()).exit_code, kCheckpoint);
  EXPECT_EQ(tests::lockstep("list nowhere").exit_code, kCheckpoint);
}

TEST_F(CheckpointJob, WhatIsExportedIsTheCheckpointInTheHandsOfOthers) {
  const std::string python = tests::environment("LOCKSTEP_PYTHON");
  LOCKSTEP_NEEDS("transformers", tests::run(python + " -c 'import transformers, h5py'").exit_code == 0,
                 "the tests' Python has no transformers and h5py");
  ASSERT_EQ(train(3).exit_code, kDone);
  const std::string hf = world_->path("model.exported"), h5 = world_->path("h5");
  const Outcome exported = tests::lockstep("export " + run_folder() + " --output_dir " + hf);
  EXPECT_EQ(exported.exit_code, kDone) << exported.output;
  EXPECT_EQ(read_file(hf + "/model.safetensors") == model(), true) << "the run delivers its last step";
  for (const auto& entry : fs::directory_iterator(hf))
    EXPECT_EQ(read_file(entry.path()), read_file(run_folder() + "/" + entry.path().filename().string()));
  const std::string newest = valid_ones().front().folder;
  EXPECT_EQ(tests::lockstep("export " + newest + " --format hdf5 --output_dir " + h5).exit_code, kDone);
  const Outcome read =
      tests::run(python + " " + tests::environment("LOCKSTEP_SOURCE") + "/tests/end_to_end/read_export.py " + newest +
                 " " + hf + " " + h5 + "/checkpoint-14.h5");
  EXPECT_EQ(read.exit_code, 0) << read.output;
}

TEST_F(CheckpointJob, OnlyAValidCheckpointIsExportedAndNothingIsOverwritten) {
  ASSERT_EQ(train(1, "--save_steps 6").exit_code, kDone);
  const fs::path damaged = valid_ones().front().folder / "shard-00000-of-00001.safetensors";
  const std::string sound = valid_ones().at(1).folder.filename();
  fs::resize_file(damaged, fs::file_size(damaged) - 4);
  const std::string target = world_->path("older.exported");
  const Outcome older = tests::lockstep("export " + run_folder() + " --format hdf5 --output_dir " + target);
  EXPECT_EQ(older.exit_code, kDone);
  EXPECT_THAT(older.output, HasSubstr("checkpoint-14 is damaged: shard-00000-of-00001.safetensors: has"));
  EXPECT_TRUE(fs::exists(target + "/" + sound + ".h5")) << older.output;
  EXPECT_EQ(tests::lockstep("export " + run_folder() + " --output_dir " + target).exit_code, kContract);
  EXPECT_EQ(tests::lockstep("export " + damaged.parent_path().string() + " --output_dir new").exit_code, kCheckpoint);
  const std::string nowhere = "/proc/nowhere/exported";  // not even root may make a folder there
  EXPECT_EQ(tests::lockstep("export " + run_folder() + " --output_dir " + nowhere).exit_code, kStorage);
}

TEST_F(CheckpointJob, ASecondJobOnTheFolderIsRefused) {
  const auto job = launch(1, {"--save_strategy", "epoch"});
  ASSERT_TRUE(comes_to_train()) << job->output();
  EXPECT_EQ(train(1, kResume).exit_code, kLocked);
  job->signal(SIGINT);
  EXPECT_EQ(job->exit_code(), kStopped);
}

TEST_F(CheckpointJob, AFailedSaveIsToldAndTheTrainingGoesOn) {
  const Outcome outcome = train(2, "", "LOCKSTEP_FAILPOINT=shard-flushed:1:1:full");
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no checkpoint of step 3: rank 1: "));
  EXPECT_THAT(outcome.output, HasSubstr("1 checkpoints could not be written"));
  EXPECT_EQ(valid_ones().front().manifest->step, 14);
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(CheckpointJob, WithoutItsLastCheckpointARunDoesNotEndWell) {
  const Outcome outcome = train(2, "--save_steps 99", "LOCKSTEP_FAILPOINT=before-rename:0:1:full");
  EXPECT_EQ(outcome.exit_code, kStorage) << outcome.output;
  EXPECT_TRUE(fs::exists(run_folder() + "/all_results.json"));
}

TEST_F(CheckpointJob, TheBestModelComesBackWithTheCheckpoint) {
  const std::string best = "--load_best_model_at_end --metric_for_best_model accuracy --logging_steps 5";
  ASSERT_EQ(train(1, best, "LOCKSTEP_FAILPOINT=after-rename:0:2:kill").exit_code, 137);
  const StoredCheckpoint stored = valid_ones().front();
  ASSERT_GT(stored.manifest->step, 4);
  const std::string kept = read_file(stored.folder / kBestModelName);
  std::ofstream(run_folder() + "/model.safetensors.new") << "a later model";
  fs::rename(run_folder() + "/model.safetensors.new", run_folder() + "/model.safetensors");
  EXPECT_EQ(read_file(stored.folder / kBestModelName) == kept, true) << "replaced there, not here";
  const Outcome outcome = train(1, best + kResume);
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_EQ(fs::file_size(run_folder() + "/model.safetensors"), kept.size());
}

TEST_F(CheckpointJob, AFullDiskCostsCheckpointsAndNotTheTraining) {
  const std::string disk = world_->path("disk");
  fs::create_directories(disk);
  LOCKSTEP_NEEDS("mount", mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=3m") == 0, "this user may not mount a tmpfs");
  std::ofstream(disk + "/ballast") << std::string(2'300'000, 'x');
  const Outcome full = train(2, "", "", disk + "/run");
  EXPECT_EQ(full.exit_code, kStorage) << full.output;
  EXPECT_THAT(full.output, HasSubstr("no checkpoint of step 3: "));
  EXPECT_THAT(full.output, HasSubstr("trained 14 steps"));
  EXPECT_EQ(umount(disk.c_str()), 0);
}

TEST_F(CheckpointJob, ADiskThatFillsUpInTheMiddleOfAShardCostsThatCheckpoint) {
  const std::string disk = world_->path("filling_disk"), run = disk + "/run";
  fs::create_directories(disk);
  LOCKSTEP_NEEDS("mount", mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4m") == 0, "this user may not mount a tmpfs");
  Outcome outcome;
  std::thread training([&] { outcome = train(1, "", "LOCKSTEP_FAILPOINT=shard-open:0:2:slow", run); });
  const auto second_shard_is_open = [&] {
    for (const auto& entry : fs::directory_iterator(run, ignored_))
      if (entry.path().filename().string().starts_with(".checkpoint-6.writing-") && !fs::is_empty(entry.path()))
        return true;
    return false;
  };
  EXPECT_TRUE(becomes_true(second_shard_is_open, tests::kPatience));
  // Less than a shard is left, and more than the model and the results need at the end.
  std::ofstream(disk + "/ballast") << std::string(fs::space(disk).available - 290'000, 'x');
  training.join();
  EXPECT_EQ(outcome.exit_code, kStorage) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no checkpoint of step 6: rank 0: cannot write "));
  EXPECT_THAT(outcome.output, HasSubstr("No space left on device"));
  EXPECT_THAT(outcome.output, HasSubstr("trained 14 steps"));
  const std::vector<StoredCheckpoint> stored = list_checkpoints(run);
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored.front().manifest->step, 3);
  EXPECT_EQ(problem_with(stored.front(), true), std::nullopt);
  EXPECT_EQ(umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace lockstep
