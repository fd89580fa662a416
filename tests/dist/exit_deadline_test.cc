#include "dist/exit_deadline.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace lockstep::dist {
namespace {

using namespace std::chrono_literals;

TEST(ExitDeadlineDeathTest, EndsACallThatHangs) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto hang = [] {
    const ExitDeadline deadline(7, 0.05);
    std::this_thread::sleep_for(20s);
    std::exit(1);
  };
  EXPECT_EXIT(hang(), testing::ExitedWithCode(7), "");
}

TEST(ExitDeadlineTest, LetsACallThatReturnsGoOn) {
  { const ExitDeadline deadline(7, 0.2); }
  std::this_thread::sleep_for(300ms);
}

}  // namespace
}  // namespace lockstep::dist
