// What the rows rest on: what counts as a violation, and who is who.
#include <gtest/gtest-spi.h>

#include <stdexcept>

#include "tests/fault/fault_row.h"
#include "tests/support/background.h"

namespace lockstep::tests {
namespace {

TEST(FaultRow, ATrialThatThrowsIsAViolation) {
  FaultRow row("of_itself", 1);
  EXPECT_NONFATAL_FAILURE(row.count([] { throw std::runtime_error("words"); }), "words");
  EXPECT_EQ(row.violations(), 1);
}

TEST(SeenProcesses, AChildThatIsStillItsParentsImageIsLeftOut) {
  const pid_t child = fork();
  if (child == 0) pause();
  const auto before = without_children({SeenProcess(getpid(), "this"), SeenProcess(child, "this")});
  const auto after = without_children({SeenProcess(getpid(), "this"), SeenProcess(child, "another")});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  ASSERT_EQ(before.size(), 1u);
  EXPECT_EQ(before.front().pid, getpid());
  EXPECT_EQ(after.size(), 2u);
}

}  // namespace
}  // namespace lockstep::tests
