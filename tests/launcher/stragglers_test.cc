#include "launcher/loop/stragglers.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

/// The step (from 1) at which a rank is found, of `steps` in which `late` takes 200 ms more from step `from` on.
std::optional<std::pair<int, int>> found(Stragglers& stragglers, int steps, int late, int from) {
  for (int step = 1; step <= steps; ++step) {
    std::vector<double> seconds = {0.30, 0.31, 0.29, 0.30 + 0.02 * (step % 3)};
    if (step >= from) seconds[static_cast<size_t>(late)] += 0.2;
    if (const auto straggler = stragglers.observe(seconds)) return std::pair(straggler->rank, step);
  }
  return std::nullopt;
}

TEST(Stragglers, ADelayOf200MillisecondsIsFoundWithin20Steps) {
  for (int late = 0; late < 4; ++late) {
    Stragglers stragglers;
    const auto straggler = found(stragglers, 60, late, 31);
    ASSERT_TRUE(straggler);
    EXPECT_EQ(straggler->first, late);
    EXPECT_LE(straggler->second, 50);
    EXPECT_GT(straggler->second, 31);
  }
}

TEST(Stragglers, OfTwoRanksTheSlowOneIsFound) {
  Stragglers stragglers;
  std::optional<Stragglers::Straggler> straggler;
  for (int step = 0; step < 10; ++step)
    straggler = stragglers.observe(std::vector<double>{0.1, 0.3});
  ASSERT_TRUE(straggler);
  EXPECT_EQ(straggler->rank, 1);
  EXPECT_DOUBLE_EQ(straggler->seconds, 0.3);
  EXPECT_DOUBLE_EQ(straggler->others_seconds, 0.1);
}

TEST(Stragglers, EachIsToldOnceUntilItHasKeptPaceAgain) {
  Stragglers stragglers;
  EXPECT_TRUE(found(stragglers, 20, 2, 1));
  EXPECT_FALSE(found(stragglers, 40, 2, 1));
  EXPECT_FALSE(found(stragglers, 20, 2, 100));
  EXPECT_TRUE(found(stragglers, 20, 2, 1));
}

TEST(Stragglers, SingleLateStepsAndLittleDifferencesAreNone) {
  Stragglers stragglers;
  for (int step = 0; step < 100; ++step)
    EXPECT_FALSE(stragglers.observe(std::vector<double>{0.30, step % 4 == 0 ? 1.5 : 0.33, 0.31}));
  for (int step = 0; step < 100; ++step)
    EXPECT_FALSE(stragglers.observe(std::vector<double>{0.01, 0.04, 0.01})) << "30 ms matter to nobody";
}

TEST(Stragglers, OneRankWaitsForNobody) {
  Stragglers stragglers;
  for (int step = 0; step < 20; ++step)
    EXPECT_FALSE(stragglers.observe(std::vector<double>{step * 1.0}));
}

TEST(Stragglers, MeansAreOfTheStepsSinceTheyWereTakenLast) {
  Stragglers stragglers;
  EXPECT_TRUE(stragglers.take_means().empty());
  stragglers.observe(std::vector<double>{1, 4});
  stragglers.observe(std::vector<double>{3, 8});
  EXPECT_EQ(stragglers.take_means(), (std::vector<double>{2, 6}));
  stragglers.observe(std::vector<double>{5, 5});
  EXPECT_EQ(stragglers.take_means(), (std::vector<double>{5, 5}));
}

}  // namespace
}  // namespace lockstep
