#include "launcher/checkpoint/spare_time.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <future>
#include <thread>

namespace lockstep {
namespace {

int policy_of_this_thread() {
  return sched_getscheduler(0);
}

TEST(SpareTime, IsTheWorkersUntilItHurries) {
  SpareTime time;
  std::promise<void> begun, hurried;
  std::thread worker([&] {
    const SpareTime::Worker here(time);
    EXPECT_EQ(policy_of_this_thread(), SCHED_IDLE);
    begun.set_value();
    hurried.get_future().wait();
    EXPECT_EQ(policy_of_this_thread(), SCHED_OTHER);
  });
  begun.get_future().wait();
  time.hurry(true);
  hurried.set_value();
  worker.join();
  EXPECT_EQ(policy_of_this_thread(), SCHED_OTHER);
}

TEST(SpareTime, IsNotForAWorkerThatComesInAHurry) {
  SpareTime time;
  time.hurry(true);
  std::thread([&] {
    const SpareTime::Worker here(time);
    EXPECT_EQ(policy_of_this_thread(), SCHED_OTHER);
    time.hurry(false);
    EXPECT_EQ(policy_of_this_thread(), SCHED_IDLE);
  }).join();
  time.hurry(true);  // nobody's thread now
}

}  // namespace
}  // namespace lockstep
