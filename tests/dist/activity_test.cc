#include "dist/activity.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace lockstep::dist {
namespace {

TEST(LabelTest, LongTextLosesItsEnd) {
  EXPECT_EQ(Label("short").view(), "short");
  EXPECT_EQ(Label(std::string(100, 'x')).view(), std::string(47, 'x'));
}

TEST(ActivityLogTest, EveryNoteIsASignOfProgress) {
  ActivityLog log;
  uint64_t notes = log.now().notes;
  const auto expect_more = [&] {
    EXPECT_GT(log.now().notes, notes);
    notes = log.now().notes;
  };
  log.phase("loading", Pace::kOpen);
  expect_more();
  log.begin_step(1);
  expect_more();
  log.end_step();
  expect_more();
  log.progress();
  expect_more();
  {
    const ActivityLog::Wait wait(log, "barrier");
    expect_more();
  }
  expect_more();
}

TEST(ActivityLogTest, ARankWaitsForAsLongAsItsWaitLives) {
  ActivityLog log;
  EXPECT_FALSE(log.now().is_waiting);
  {
    const ActivityLog::Wait outer(log, "barrier of gradients");
    {
      const ActivityLog::Wait inner(log, "barrier");
      EXPECT_EQ(log.now().waits_from, 2U);
    }
    EXPECT_TRUE(log.now().is_waiting);
    EXPECT_EQ(log.now().waits_from, 1U);
  }
  EXPECT_FALSE(log.now().is_waiting);
}

TEST(ActivityLogTest, CollectivesAreNumberedAndTheLastOnesKeepTheirNames) {
  ActivityLog log;
  for (int i = 1; i <= 1000; ++i)
    EXPECT_EQ(ActivityLog::Wait(log, "sum " + std::to_string(i)).from(), static_cast<uint64_t>(i));
  EXPECT_EQ(log.now().reached, 1000U);
  EXPECT_EQ(log.name_of(1000).view(), "sum 1000");
  EXPECT_EQ(log.name_of(745).view(), "sum 745");
  EXPECT_EQ(log.name_of(744).view(), "");
  EXPECT_EQ(log.name_of(1001).view(), "");
}

TEST(ActivityLogTest, TheSlowestOfTheRecentStepsCounts) {
  ActivityLog log;
  EXPECT_EQ(log.now().slowest_step_seconds, 0);
  log.begin_step(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  log.end_step();
  const double slowest = log.now().slowest_step_seconds;
  EXPECT_GE(slowest, 0.3);
  for (int step = 2; step <= 20; ++step) {
    log.begin_step(step);
    log.end_step();
  }
  EXPECT_EQ(log.now().slowest_step_seconds, slowest);
  log.begin_step(21);
  log.end_step();
  EXPECT_LT(log.now().slowest_step_seconds, slowest);
}

}  // namespace
}  // namespace lockstep::dist
