#include "dist/communication_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace lockstep::dist {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;
using namespace std::chrono_literals;

constexpr double kLong = 30;  // seconds; never waited for in full

/// Sleeps until it is asked to stop.
void wait_for_stop(const std::stop_token& stop) {
  while (!stop.stop_requested())
    std::this_thread::sleep_for(1ms);
}

TEST(CommunicationThreadTest, TasksRunInOrderOnOneOtherThread) {
  CommunicationThread thread;
  std::vector<int> order;
  std::set<std::thread::id> threads;
  for (int i = 0; i < 5; ++i)
    thread.submit([&, i](const std::stop_token&) {
      order.push_back(i);
      threads.insert(std::this_thread::get_id());
    });
  thread.wait();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(threads.size(), 1U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(CommunicationThreadTest, SubmitDoesNotWait) {
  CommunicationThread thread;
  std::promise<void> gate;
  thread.submit([&](const std::stop_token&) { gate.get_future().wait(); });
  gate.set_value();  // after it has returned; else the task would wait forever
  EXPECT_EQ(thread.wait().reductions.size(), 1U);
}

TEST(CommunicationThreadTest, TimesAreOfTheTasksSinceTheLastWait) {
  CommunicationThread thread;
  EXPECT_TRUE(thread.wait().reductions.empty());
  for (int step = 0; step < 2; ++step) {
    const auto begin = Clock::now();
    for (int i = 0; i < 2; ++i)
      thread.submit([](const std::stop_token&) { std::this_thread::sleep_for(20ms); });
    const ReductionTimes times = thread.wait();
    ASSERT_EQ(times.reductions.size(), 2U);
    EXPECT_GE(times.reductions[0].begin, begin);
    EXPECT_GE(times.reductions[0].end - times.reductions[0].begin, 20ms);
    EXPECT_LE(times.reductions[0].end, times.reductions[1].begin);
    EXPECT_GT(times.exposed, 20ms);  // the second task at least ran while wait() waited
  }
}

TEST(CommunicationThreadTest, WaitRethrowsTheFirstErrorAndDropsTheRest) {
  CommunicationThread thread;
  std::promise<void> gate;
  bool ran = false;
  thread.submit([&](const std::stop_token&) {
    gate.get_future().wait();
    throw std::runtime_error("the link is down");
  });
  thread.submit([&](const std::stop_token&) { ran = true; });
  gate.set_value();
  EXPECT_THAT([&] { thread.wait(); }, ThrowsMessage<std::runtime_error>("the link is down"));
  thread.submit([&](const std::stop_token&) { ran = true; });
  EXPECT_THAT([&] { thread.wait(); }, ThrowsMessage<std::runtime_error>("the link is down"));
  EXPECT_FALSE(ran);
}

TEST(CommunicationThreadTest, StopEndsTheRunningTaskAndDropsTheRest) {
  CommunicationThread thread;
  std::atomic<bool> ran = false;
  thread.submit(wait_for_stop);
  thread.submit([&](const std::stop_token&) { ran = true; });
  EXPECT_TRUE(thread.stop(kLong));
  EXPECT_FALSE(ran);
}

TEST(CommunicationThreadTest, StopDoesNotHangOnATaskThatDoes) {
  std::promise<void> begun, gate;
  CommunicationThread thread;
  thread.submit([&](const std::stop_token&) {
    begun.set_value();
    gate.get_future().wait();
  });
  begun.get_future().wait();
  EXPECT_FALSE(thread.stop(0.05));
  gate.set_value();
}

TEST(CommunicationThreadTest, WithoutATaskThereIsNothingToStop) {
  CommunicationThread thread;
  EXPECT_TRUE(thread.stop(0));
}

}  // namespace
}  // namespace lockstep::dist
