// The program itself: its commands, their help, and what it says of itself.
#include <gmock/gmock.h>

#include <sstream>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/program.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using tests::lockstep;
using tests::mpirun;
using tests::Outcome;

TEST(Program, WithoutACommandItExplainsItself) {
  const Outcome outcome = lockstep("");
  EXPECT_EQ(outcome.exit_code, kUsage);
  for (const char* word : {"prepare", "train", "launch", "plan", "list", "verify", "evaluate", "predict"})
    EXPECT_THAT(outcome.output, HasSubstr(word));
}

TEST(Program, CommandsWithoutRanksRefuseToRunSeveralTimesAtOnce) {
  for (const char* command : {"prepare", "launch", "plan", "list", "verify", "evaluate", "predict"}) {
    const Outcome outcome = mpirun(2, command);
    EXPECT_EQ(outcome.exit_code, kUsage) << command;
    EXPECT_THAT(outcome.output, HasSubstr("without mpirun")) << command;
  }
}

TEST(Program, HelpFitsATerminalOfEightyColumns) {
  for (const char* command :
       {"", "prepare --help", "train --help", "launch --help", "plan --help", "evaluate --help", "predict --help"}) {
    std::istringstream lines(lockstep(command).output);
    for (std::string line; std::getline(lines, line);)
      EXPECT_LE(line.size(), 80u) << command << ": " << line;
  }
}

TEST(Program, AMistypedCommandIsSuggested) {
  const Outcome outcome = lockstep("trian");
  EXPECT_EQ(outcome.exit_code, kUsage);
  EXPECT_THAT(outcome.output, HasSubstr("did you mean train?"));
}

TEST(Program, EveryCommandHasHelpWithExamples) {
  for (const char* command : {"prepare", "train", "launch", "plan", "list", "verify", "evaluate", "predict"}) {
    const Outcome outcome = lockstep(std::string(command) + " --help");
    EXPECT_EQ(outcome.exit_code, 0) << command;
    EXPECT_THAT(outcome.output, HasSubstr("Example")) << command;
    EXPECT_THAT(outcome.output, HasSubstr("Exit codes")) << command;
  }
}

TEST(Program, ItsLightCommandsHaveTheExitCodesOfTheOthers) {
  const Outcome outcome = lockstep("plan --dataset no_such_folder");
  EXPECT_EQ(outcome.exit_code, kData) << outcome.output;
}

TEST(Program, HelpOfACommandIsFoundInAnyOrder) {
  const std::string help = lockstep("train --help").output;
  EXPECT_EQ(lockstep("help train").output, help);
  EXPECT_EQ(lockstep("--help train").output, help);
  EXPECT_EQ(lockstep("help help").output, lockstep("--help").output);
}

TEST(Program, HelpHasOneLineOfUsage) {
  EXPECT_THAT(lockstep("launch --help").output,
              HasSubstr("\nUsage: lockstep launch [OPTIONS] -- train [ITS OPTIONS]\n"));
  EXPECT_THAT(lockstep("predict --help").output, HasSubstr("  text TEXT ...\n"));
}

TEST(Program, VersionTellsWhatItIsBuiltFrom) {
  const Outcome outcome = lockstep("--version");
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* part : {"lockstep 0", ", for ", "LibTorch 2", "MPI", "HDF5 1"})
    EXPECT_THAT(outcome.output, HasSubstr(part));
}

}  // namespace
}  // namespace lockstep
