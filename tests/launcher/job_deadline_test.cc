#include "launcher/train/job_deadline.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace lockstep {
namespace {

JobDeadline::Clock::time_point at(double seconds) {
  return JobDeadline::Clock::time_point(std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds)));
}

/// The first whole second at which a job that asks every second has to stop.
int stop_of(JobDeadline end, int from = 1) {
  while (!end.is_near(at(from)))
    ++from;
  return from;
}

TEST(JobDeadline, LeavesHalfAMinuteTwoSavesAndTwoSteps) {
  EXPECT_EQ(stop_of(JobDeadline(at(1000), 0, at(0))), 968);
  EXPECT_EQ(stop_of(JobDeadline(at(1000), 50, at(0))), 868);
}

TEST(JobDeadline, RemembersThatItWasNear) {
  JobDeadline end(at(1000), 0, at(0));
  EXPECT_FALSE(end.is_near(at(1)));
  EXPECT_FALSE(end.was_near());
  EXPECT_TRUE(end.is_near(at(999)));
  EXPECT_TRUE(end.was_near());
}

TEST(JobDeadline, OfAJobThatDoesNotKnowItIsNeverNear) {
  EXPECT_FALSE(JobDeadline(std::nullopt, 0, at(0)).is_near(at(1e9)));
}

TEST(JobDeadline, ASaveThatWasSeenCountsInPlaceOfTheGuess) {
  JobDeadline end(at(1000), 50, at(0));
  end.save_began(at(1));
  end.saves_written(0, at(2));  // still being written
  end.saves_written(1, at(11));
  end.saves_written(1, at(90));  // nothing new
  EXPECT_EQ(stop_of(end), 948);
}

TEST(JobDeadline, TheLongestStepCounts) {
  JobDeadline end(at(1000), 0, at(0));
  EXPECT_FALSE(end.is_near(at(100)));
  EXPECT_EQ(stop_of(end, 101), 770);
}

TEST(JobDeadline, IsWhatSlurmSays) {
  const auto in_a_minute = std::chrono::system_clock::now() + std::chrono::seconds(60);
  setenv("SLURM_JOB_END_TIME", std::to_string(std::chrono::system_clock::to_time_t(in_a_minute)).c_str(), 1);
  const std::chrono::duration<double> left = end_of_slurm_job().value() - JobDeadline::Clock::now();
  EXPECT_NEAR(left.count(), 60, 5);
  for (const char* none : {"", "Unknown", "0", "1700000000"}) {  // the last is over: an earlier job's
    setenv("SLURM_JOB_END_TIME", none, 1);
    EXPECT_EQ(end_of_slurm_job(), std::nullopt) << none;
  }
  unsetenv("SLURM_JOB_END_TIME");
  EXPECT_EQ(end_of_slurm_job(), std::nullopt);
}

}  // namespace
}  // namespace lockstep
