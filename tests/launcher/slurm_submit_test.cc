#include "launcher/launch/slurm_submit.h"

#include <gmock/gmock.h>

#include <fstream>

#include "launcher/errors.h"
#include "tests/support/process.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Words line_of(Words arguments) {
  arguments.insert(arguments.end(), {"--", "train", "--seed", "1"});
  return sbatch_line(parse_launch_options(arguments), "/opt/slurm/train.sbatch");
}

std::string mistake_in(const Words& arguments) {
  try {
    line_of(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UsageError";
  return "";
}

tests::Outcome in_job_script(const std::string& commands) {
  return tests::run("bash -c '. " + tests::environment("LOCKSTEP_SOURCE") + "/slurm/job.sh; " + commands + "'");
}

/// What job.sh makes of --resume_from_checkpoint, in `run`.
std::string beginning_in(const std::string& run, int restarts, const std::string& option) {
  return in_job_script("run=" + run + " restarts=" + std::to_string(restarts) + "; where_to_begin train " + option)
      .output;
}

TEST(SlurmJob, BeginsWhereTheUserSaysUntilThereIsACheckpointOfItsOwn) {
  const tests::TemporaryFolder folder;
  const std::string run = folder.path().string();
  EXPECT_EQ(beginning_in(run, 0, ""), "auto\n");
  EXPECT_EQ(beginning_in(run, 1, "--resume-from-checkpoint other/checkpoint-5"), "other/checkpoint-5\n");
  std::filesystem::create_directories(folder / "checkpoint-7");
  std::ofstream(folder / "checkpoint-7/manifest.json") << "{}";
  EXPECT_EQ(beginning_in(run, 1, "--resume_from_checkpoint=other/checkpoint-5"), "auto\n");
  EXPECT_EQ(beginning_in(run, 0, "--resume_from_checkpoint never"), "never\n");
  EXPECT_EQ(beginning_in(run, 0, "--resume_from_checkpoint False"), "never\n");
  EXPECT_EQ(beginning_in(run, 1, "--resume_from_checkpoint never"), "auto\n");
}

TEST(SlurmJob, MustSaveByItsOptionsOrItsRecipe) {
  const tests::TemporaryFolder folder;
  const std::string recipe = folder / "recipe.toml";
  std::ofstream(recipe) << "# save_strategy = \"epoch\"\nsave_steps = 5\n";
  EXPECT_NE(in_job_script("is_saving train --config " + recipe).exit_code, 0);
  EXPECT_NE(in_job_script("is_saving train --seed 1").exit_code, 0);
  EXPECT_EQ(in_job_script("is_saving train --save-strategy steps --config " + recipe).exit_code, 0);
  std::ofstream(recipe) << "seed = 1\nsave_strategy = \"epoch\"\n";
  EXPECT_EQ(in_job_script("is_saving train --config " + recipe).exit_code, 0);
}

TEST(SlurmSubmit, AsksForNodesGpusCoresAndTime) {
  EXPECT_THAT(line_of({"--slurm", "--nodes", "2", "--gpus", "4", "--threads", "8", "--time", "12:00:00"}),
              ElementsAre("sbatch", "--nodes=2", "--gpus-per-node=4", "--cpus-per-gpu=8", "--time=12:00:00",
                          "/opt/slurm/train.sbatch", "train", "--seed", "1"));
}

TEST(SlurmSubmit, WithoutGpusRanksAreTasksOnCores) {
  EXPECT_THAT(line_of({"--slurm", "--nodes", "2", "-n", "6", "--threads", "4"}),
              ElementsAre("sbatch", "--nodes=2", "--ntasks-per-node=3", "--cpus-per-task=4", "/opt/slurm/train.sbatch",
                          "train", "--seed", "1"));
  EXPECT_THAT(line_of({"--slurm"}), ElementsAre("sbatch", "--nodes=1", "--ntasks-per-node=1", "/opt/slurm/train.sbatch",
                                                "train", "--seed", "1"));
}

TEST(SlurmSubmit, WhatDoesNotFitIsExplained) {
  EXPECT_THAT(mistake_in({"--slurm", "--nodes", "2", "-n", "3"}), HasSubstr("-n 3 on --nodes 2"));
  EXPECT_THAT(mistake_in({"--slurm", "--gpus", "2", "-n", "3"}), HasSubstr("leave -n out"));
  EXPECT_THAT(mistake_in({"--nodes", "2"}), HasSubstr("--nodes requires --slurm"));
  EXPECT_THAT(mistake_in({"--slurm", "--hosts", "a:1"}), HasSubstr("--hosts excludes --slurm"));
}

TEST(SlurmSubmit, TheScriptIsFoundAboveTheProgram) {
  const tests::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "slurm");
  const std::string script = folder / "slurm/train.sbatch";
  std::ofstream(script).flush();
  EXPECT_EQ(find_batch_script(folder / "bin/lockstep"), script);
  EXPECT_EQ(find_batch_script(folder / "build/check/bin/lockstep"), script);
  EXPECT_THROW(find_batch_script("/bin/lockstep"), NotStartedError);
}

}  // namespace
}  // namespace lockstep
