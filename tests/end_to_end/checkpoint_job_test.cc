// Checkpoints of the program as users start it: exported, damaged, and going on with other ranks and settings.
#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "data/sampler.h"
#include "tests/end_to_end/checkpoint_job.h"
#include "tests/support/background.h"
#include "tests/support/require.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using tests::CheckpointJob;
using tests::kResume;
using tests::Outcome;
using tests::read_file;

TEST_F(CheckpointJob, AJobThatIsNearItsEndStopsByItself) {
  const auto soon = std::chrono::system_clock::now() + std::chrono::seconds(20);
  const std::string end = std::to_string(std::chrono::system_clock::to_time_t(soon));
  const Outcome outcome = train(2, "", "SLURM_JOB_END_TIME=" + end);
  EXPECT_EQ(outcome.exit_code, kStopped) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("stopped shortly before the end of the job's time, after step 1 of 14"));
  expect_that_it_ends_as_if_unbroken();
}

/// The losses of 50 steps, of which `after` ranks did those from step 19 on; the checkpoint is `before` ranks'.
void expect_the_losses_of_one_rank(int before, int after, const std::vector<double>& found,
                                   const std::vector<double>& expected) {
  SCOPED_TRACE(std::to_string(before) + " ranks, then " + std::to_string(after));
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-5 * expected[i]) << i;
}

TEST_F(CheckpointJob, AnyNumberOfRanksGoesOnWhereAnyOtherStopped) {
  const std::string fifty = " --max_steps 50 --eval_steps 50 --save_steps 18";  // in mid-epoch
  ASSERT_EQ(train(1, fifty, "", world_->path("one")).exit_code, kDone);
  const std::vector<double> expected = losses(world_->path("one"));
  for (int before = 1; before <= 4; ++before) {
    const std::string stopped = world_->path("stopped" + std::to_string(before));
    ASSERT_EQ(train(before, fifty, "LOCKSTEP_FAILPOINT=after-rename:0:1:kill", stopped).exit_code, 137);
    EXPECT_EQ(list_checkpoints(stopped).front().manifest->cursor, 24) << "of 40 examples";
    for (int after = 1; after <= 4; ++after) {
      fs::remove_all(run_folder());
      fs::copy(stopped, run_folder(), fs::copy_options::recursive);
      const Outcome outcome = train(after, fifty + kResume);
      ASSERT_EQ(outcome.exit_code, kDone) << outcome.output;
      if (before != after) {
        EXPECT_THAT(outcome.output, HasSubstr("ranks: " + std::to_string(before) + " -> " + std::to_string(after)));
      }
      expect_the_losses_of_one_rank(before, after, losses(run_folder()), expected);
    }
  }
}

TEST_F(CheckpointJob, AnExampleThatIsTrainedInThePlaceOfAnotherOrLeftOutEndsTheRunAtTheEpochsEnd) {
  const TrainingData data = world_->training_data();
  const std::vector<int64_t> order = data::epoch_order(data.train_examples, 42, 0);
  const std::string one = std::to_string(order.at(0)), other = std::to_string(order.at(1));  // of the same batch
  const Outcome swapped = train(2, "", "LOCKSTEP_SWAP_EXAMPLE=" + one + "," + other);
  EXPECT_EQ(swapped.exit_code, kFailure) << swapped.output;
  EXPECT_THAT(swapped.output, HasSubstr("the epoch that ended with step 5 did not train each example exactly once: 40 "
                                        "examples, sum "));
  fs::remove_all(run_folder());
  const Outcome dropped = train(2, "", "LOCKSTEP_SWAP_EXAMPLE=" + one);
  EXPECT_EQ(dropped.exit_code, kFailure) << dropped.output;
  EXPECT_THAT(dropped.output, HasSubstr("did not train each example exactly once: 39 examples, sum "));
}

TEST_F(CheckpointJob, AStopOnRequestBeforeTheFirstStepSavesAfterIt) {
  for (const char* point : {"start:1:1", "mpi-initialized:0:1", "loading:1:1", "locked:0:1"}) {
    SCOPED_TRACE(point);
    SetUp();
    const Outcome stopped = train(2, "", "LOCKSTEP_FAILPOINT=" + std::string(point) + ":usr1");
    EXPECT_EQ(stopped.exit_code, kStopped) << stopped.output;
    EXPECT_THAT(stopped.output, HasSubstr("stopped on request after step 1 of 14;"));
    expect_that_it_ends_as_if_unbroken();
  }
}

TEST_F(CheckpointJob, AStopOnRequestWhileACheckpointIsReadSavesAfterTheNextStep) {
  for (const char* point : {"verifying:1:1", "shard-read:1:1", "restored:0:1"}) {
    SCOPED_TRACE(point);
    SetUp();
    ASSERT_EQ(train(2, "", "LOCKSTEP_FAILPOINT=after-rename:0:1:kill").exit_code, 137);
    const Outcome stopped = train(2, kResume, "LOCKSTEP_FAILPOINT=" + std::string(point) + ":usr1");
    EXPECT_EQ(stopped.exit_code, kStopped) << stopped.output;
    EXPECT_THAT(stopped.output, HasSubstr("stopped on request after step 4 of 14;"));
    expect_that_it_ends_as_if_unbroken();
  }
}

TEST_F(CheckpointJob, TwoRequestsToStopAreAsOne) {
  const Outcome stopped = train(2, "", "LOCKSTEP_FAILPOINT=step:1:2:usr1-twice");
  EXPECT_EQ(stopped.exit_code, kStopped) << stopped.output;
  ASSERT_EQ(list_checkpoints(run_folder()).size(), 1u);
  EXPECT_EQ(valid_ones().at(0).manifest->step, 2);
  expect_that_it_ends_as_if_unbroken();
}

std::string hash_by_sha256sum(const std::string& path) {
  return tests::run("sha256sum " + tests::quoted(path)).output.substr(0, 64);
}

TEST_F(CheckpointJob, TheManifestTellsWhatTheRunWas) {
  ASSERT_EQ(train(2, "--threads 2").exit_code, kDone);
  const RunFacts facts = valid_ones().at(0).manifest->facts;
  EXPECT_EQ(facts.at("ranks"), "2");
  EXPECT_EQ(facts.at("threads_per_rank"), "2");
  EXPECT_EQ(facts.at("data_set_sha256"), hash_by_sha256sum(world_->dataset_folder() + "/dataset.json"));
  EXPECT_EQ(facts.at("vocabulary_sha256"), hash_by_sha256sum(world_->model_folder() + "/vocab.txt"));
  EXPECT_THAT(tests::lockstep("--version").output, testing::StartsWith("lockstep " + facts.at("program") + ", "));
}

TEST_F(CheckpointJob, OnAnotherDataSetNoRunGoesOn) {
  ASSERT_EQ(train(2, "", "LOCKSTEP_FAILPOINT=after-rename:0:1:kill").exit_code, 137);
  const tests::TinyWorld other(64);  // the same reviews, cut elsewhere
  const Outcome refused = train(2, kResume + (" --allow_change data_set_sha256 --dataset " + other.dataset_folder()));
  EXPECT_EQ(refused.exit_code, kContract) << refused.output;
  EXPECT_THAT(refused.output,
              HasSubstr("data_set_sha256: " + hash_by_sha256sum(world_->dataset_folder() + "/dataset.json") + " -> " +
                        hash_by_sha256sum(other.dataset_folder() + "/dataset.json") + " (refused)"));
}

TEST_F(CheckpointJob, OtherProgramsReadEveryCheckpointOfARun) {
  const std::string python = tests::environment("LOCKSTEP_PYTHON");
  LOCKSTEP_NEEDS("transformers", fs::exists(python), "no Python with safetensors");
  ASSERT_EQ(train(2, "--load_best_model_at_end").exit_code, kDone);
  ASSERT_GE(valid_ones().size(), 2u);
  for (const StoredCheckpoint& stored : valid_ones()) {
    const Outcome read = tests::run(python + " " + tests::environment("LOCKSTEP_SOURCE") +
                                    "/tests/launcher/read_checkpoint.py " + stored.folder.string());
    EXPECT_EQ(read.exit_code, 0) << read.output;
    const auto state = nlohmann::json::parse(read_file(stored.folder / "trainer_state.json"));
    EXPECT_EQ(state.at("global_step"), stored.manifest->step);
  }
}

/// In the place of the newest checkpoint's first shard comes that of a run with another seed, at the same step.
TEST_F(CheckpointJob, AShardOfAnotherRunIsNamedAndItsCheckpointSkipped) {
  const std::string other = world_->path("other_seed"), shard = "checkpoint-14/shard-00000-of-00002.safetensors";
  ASSERT_EQ(train(2, "--seed 7", "", other).exit_code, kDone);
  ASSERT_EQ(train(2).exit_code, kDone);
  ASSERT_NE(list_checkpoints(other).front().manifest->run, list_checkpoints(run_folder()).front().manifest->run);
  fs::copy_file(other + "/" + shard, run_folder() + "/" + shard, fs::copy_options::overwrite_existing);
  const std::string damaged =
      run_folder() + "/checkpoint-14 is damaged: shard-00000-of-00002.safetensors: its sha256 is ";
  const Outcome refused = train(2, "--resume_from_checkpoint 14");
  EXPECT_EQ(refused.exit_code, kCheckpoint);
  EXPECT_THAT(refused.output, HasSubstr(damaged));
  const Outcome skipped = train(2, kResume);
  EXPECT_EQ(skipped.exit_code, kDone) << skipped.output;
  EXPECT_THAT(skipped.output, HasSubstr("warning: " + damaged));
  EXPECT_THAT(skipped.output, HasSubstr("; left as it is"));
  EXPECT_EQ(model() == unbroken_model(), true);
}

TEST_F(CheckpointJob, WhatATrainingRemovesMeanwhileIsNotDamaged) {
  ASSERT_EQ(train(1).exit_code, kDone);
  const std::string gate = world_->path("verify_gate"), output = world_->path("verify_output");
  Outcome outcome;
  std::thread looking([&] {
    outcome =
        tests::run("LOCKSTEP_FAILPOINT=looking-at-one:0:2:hold LOCKSTEP_FAILPOINT_GATE=" + gate + " " +
                   tests::quoted(tests::environment("LOCKSTEP_BINARY")) + " verify " + run_folder() + " > " + output);
  });
  EXPECT_TRUE(tests::becomes_true([&] { return tests::read_file(output).ends_with("valid\n"); }, tests::kPatience));
  fs::remove_all(run_folder() + "/checkpoint-3");
  std::ofstream(gate) << "open";
  looking.join();
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_THAT(tests::read_file(output), HasSubstr("removed meanwhile"));
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
  EXPECT_EQ(tests::lockstep("verify " + std::string(fs::path(run_folder()).parent_path())).exit_code, kCheckpoint);
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

/// cp, an editor or a training tool may write into the delivered model's file.
TEST_F(CheckpointJob, WhoWritesIntoTheDeliveredModelLeavesCheckpointsAsTheyAre) {
  ASSERT_EQ(train(1, "--load_best_model_at_end --save_total_limit 2").exit_code, kDone);
  std::ofstream(run_folder() + "/model.safetensors") << "something else";
  EXPECT_EQ(valid_ones().size(), list_checkpoints(run_folder()).size());
  for (const StoredCheckpoint& stored : valid_ones())
    EXPECT_TRUE(fs::exists(stored.folder / kBestModelName));
}

TEST_F(CheckpointJob, GoingOnFromAnotherRunsCheckpointReplacesNoRun) {
  const std::string other = world_->path("other");
  ASSERT_EQ(train(1, "", "", other).exit_code, kDone);
  ASSERT_EQ(train(1, "--seed 7").exit_code, kDone);
  const std::string before = model();
  const std::string from = " --resume_from_checkpoint " + other + "/checkpoint-14";
  EXPECT_EQ(train(1, from).exit_code, kContract);
  EXPECT_EQ(model() == before, true);
  EXPECT_EQ(train(1, from, "", world_->path("elsewhere")).exit_code, kDone);
  EXPECT_EQ(read_file(world_->path("elsewhere") + "/model.safetensors") == read_file(other + "/model.safetensors"),
            true);
}

TEST_F(CheckpointJob, ACheckpointThatIsNotThereIsNotCalledDamaged) {
  ASSERT_EQ(train(1).exit_code, kDone);
  const Outcome outcome = train(1, "--resume_from_checkpoint 5");
  EXPECT_EQ(outcome.exit_code, kCheckpoint);
  EXPECT_THAT(outcome.output, HasSubstr("/checkpoint-5; " + run_folder() + " holds checkpoint-14, "));
  const Outcome whole_run = train(1, "--resume_from_checkpoint " + run_folder());
  EXPECT_EQ(whole_run.exit_code, kCheckpoint);
  EXPECT_THAT(whole_run.output, HasSubstr("is a run's folder, not a checkpoint; give one in it, such as " +
                                          run_folder() + "/checkpoint-14\n"));
}

/// As DeepSpeed writes and others link it; the manifests alone tell which one is the newest.
TEST_F(CheckpointJob, NeitherAFileNorALinkLatestNorAnEmptyFolderMisleadsAResume) {
  const fs::path latest = fs::path(run_folder()) / "latest";
  const std::vector<std::function<void()>> ways = {[&] { std::ofstream(latest) << "checkpoint-999\n\xff"; },
                                                   [&] { fs::create_symlink("checkpoint-3", latest); }};
  for (const auto& mislead : ways) {
    SetUp();
    ASSERT_EQ(train(2, "", "LOCKSTEP_FAILPOINT=after-rename:0:2:kill").exit_code, 137);
    const std::string newest = valid_ones().front().folder;
    mislead();
    fs::create_directories(run_folder() + "/checkpoint-999");
    const Outcome outcome = train(2, kResume);
    EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("going on from " + newest + ": "));
    EXPECT_EQ(model() == unbroken_model(), true) << outcome.output;
  }
}

TEST_F(CheckpointJob, AResumeThatIsRefusedLeavesTheRunAsItWas) {
  ASSERT_EQ(train(1).exit_code, kDone);
  const std::string metrics = read_file(run_folder() + "/metrics.jsonl");
  const std::string other = world_->path("other_shapes");
  fs::copy(world_->model_folder(), other, fs::copy_options::recursive);
  auto config = nlohmann::json::parse(read_file(other + "/config.json"));
  config["n_layers"] = config["n_layers"].get<int>() - 1;
  std::ofstream(other + "/config.json") << config;
  const Outcome refused = train(1, kResume + (" --model_name_or_path " + other));
  EXPECT_EQ(refused.exit_code, kContract) << refused.output;
  EXPECT_EQ(read_file(run_folder() + "/metrics.jsonl") == metrics, true);
  EXPECT_TRUE(fs::exists(run_folder() + "/all_results.json"));
}

TEST_F(CheckpointJob, AnotherFunctionOfTheSameShapesNeedsPermission) {
  ASSERT_EQ(train(1, "--max_steps 3").exit_code, kDone);
  const std::string other = world_->path("other_heads");
  fs::copy(world_->model_folder(), other, fs::copy_options::recursive);
  auto config = nlohmann::json::parse(read_file(other + "/config.json"));
  config["n_heads"] = config["n_heads"].get<int>() / 2;
  std::ofstream(other + "/config.json") << config;
  const Outcome refused = train(1, "--max_steps 3" + (kResume + (" --model_name_or_path " + other)));
  EXPECT_EQ(refused.exit_code, kContract) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("give --allow_change architecture"));
}

TEST_F(CheckpointJob, NamesThatAreNotUtf8AreRefusedBeforeTheTraining) {
  const Outcome outcome = train(1, "", "", world_->path("gr\xF6sse"));
  EXPECT_EQ(outcome.exit_code, kContract) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("found bytes that are not UTF-8"));
}

/// Runs the program with an output that nobody reads from its first line on, and waits for its end.
void run_unread(const std::string& words) {
  tests::run("(sleep 0.5; env " + tests::quoted(tests::environment("LOCKSTEP_BINARY")) + " " + words + ") 2>&1 | true");
}

TEST_F(CheckpointJob, WhoReadsTheOutputMayLeave) {
  run_unread(arguments(run_folder()) + " --threads 1");
  EXPECT_TRUE(fs::exists(run_folder() + "/all_results.json"));
  fs::remove_all(run_folder());
  run_unread("launch -n 2 --threads 1 -- " + arguments(run_folder()));
  EXPECT_TRUE(fs::exists(run_folder() + "/all_results.json"));
}

TEST_F(CheckpointJob, FilesThatNoRunWroteAreNotReplaced) {
  fs::create_directories(run_folder());
  std::ofstream(run_folder() + "/README.md") << "notes";
  const Outcome refused = train(1);
  EXPECT_EQ(refused.exit_code, kContract);
  EXPECT_THAT(refused.output, HasSubstr("holds README.md, which no run wrote"));
  EXPECT_EQ(read_file(run_folder() + "/README.md"), "notes");
  EXPECT_EQ(train(1, "", "", world_->dataset_folder()).exit_code, kContract);
  EXPECT_EQ(train(1, "", "", run_folder() + "/README.md").exit_code, kContract);
}

}  // namespace
}  // namespace lockstep
