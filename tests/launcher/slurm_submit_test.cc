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
