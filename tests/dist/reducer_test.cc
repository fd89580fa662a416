#include "dist/reducer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "dist/error.h"

namespace lockstep::dist {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// A world of one that notes what was reduced.
class RecordingCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int world_size() const override { return 1; }
  std::string description() const override { return "a notebook"; }
  bool takes_device_memory() const override { return false; }
  void start_all_reduce_sum(std::span<float> values) override { reduced.emplace_back(values.begin(), values.end()); }
  void start_all_reduce_sum(std::span<BFloat16>) override {}
  ReductionTimes wait() override {
    if (fails) throw CommunicationError("a peer left");
    return {std::vector<TimeSpan>(reduced.size()), std::chrono::duration<double>(0.25)};
  }
  void barrier() override {}
  void abort(int, double) noexcept override { is_aborted = true; }

  std::vector<std::vector<float>> reduced;
  bool fails = false;
  bool is_aborted = false;
};

class ReducerTest : public testing::Test {
 protected:
  RecordingCommunicator communicator;
  std::vector<float> gradients{1, 2, 3, 4, 5, 6};
  const std::vector<Bucket> plan{{0, 1}, {1, 4}, {4, 6}};
  Reducer reducer{communicator, plan, gradients};
};

TEST_F(ReducerTest, ABucketWaitsForAllBeforeIt) {
  reducer.mark_ready(2);
  reducer.mark_ready(1);
  EXPECT_TRUE(communicator.reduced.empty());
  reducer.mark_ready(0);
  EXPECT_EQ(communicator.reduced, (std::vector<std::vector<float>>{{1}, {2, 3, 4}, {5, 6}}));
}

TEST_F(ReducerTest, ABucketIsReducedAsSoonAsItIsNext) {
  reducer.mark_ready(0);
  EXPECT_EQ(communicator.reduced.size(), 1U);
  reducer.mark_ready(1);
  EXPECT_EQ(communicator.reduced.size(), 2U);
}

TEST_F(ReducerTest, ABucketMayTravelAsOtherValuesForOneStep) {
  std::vector<float> gathered{20, 40};
  reducer.mark_ready(1, gathered);
  reducer.mark_ready(2);
  EXPECT_TRUE(communicator.reduced.empty());
  reducer.mark_ready(0);
  reducer.finish();
  for (const size_t bucket : {0, 1, 2})
    reducer.mark_ready(bucket);
  reducer.finish();
  EXPECT_EQ(communicator.reduced, (std::vector<std::vector<float>>{{1}, {20, 40}, {5, 6}, {1}, {2, 3, 4}, {5, 6}}));
}

TEST_F(ReducerTest, MarkingTwiceInOneStepIsAnErrorThatNamesTheBucket) {
  reducer.mark_ready(1);
  EXPECT_THAT([&] { reducer.mark_ready(1); }, ThrowsMessage<std::logic_error>(HasSubstr("bucket 1 [1, 4)")));
}

TEST_F(ReducerTest, FinishNamesEveryBucketThatWasNotMarked) {
  reducer.mark_ready(1);
  EXPECT_THAT([&] { reducer.finish(); },
              ThrowsMessage<std::logic_error>(HasSubstr("bucket 0 [0, 1), bucket 2 [4, 6)")));
}

TEST_F(ReducerTest, FinishBeginsTheNextStep) {
  for (int step = 0; step < 2; ++step) {
    for (const size_t bucket : {0, 1, 2})
      reducer.mark_ready(bucket);
    reducer.finish();
  }
  EXPECT_EQ(communicator.reduced.size(), 6U);
}

TEST_F(ReducerTest, FinishTellsTheTimesOfTheStep) {
  for (const size_t bucket : {0, 1, 2})
    reducer.mark_ready(bucket);
  reducer.finish();
  EXPECT_EQ(reducer.times().reductions.size(), 3U);
  EXPECT_EQ(reducer.times().exposed.count(), 0.25);
}

TEST_F(ReducerTest, FinishRethrowsWhatAReductionThrew) {
  for (const size_t bucket : {0, 1, 2})
    reducer.mark_ready(bucket);
  communicator.fails = true;
  EXPECT_THAT([&] { reducer.finish(); }, ThrowsMessage<CommunicationError>("a peer left"));
}

TEST_F(ReducerTest, LeavingAStepHalfwayAbortsTheCommunicator) {
  {
    Reducer nothing_started(communicator, plan, gradients);
    nothing_started.mark_ready(1);
  }
  EXPECT_FALSE(communicator.is_aborted);
  {
    Reducer halfway(communicator, plan, gradients);
    halfway.mark_ready(0);
  }
  EXPECT_TRUE(communicator.is_aborted);
}

TEST_F(ReducerTest, ABucketThatDoesNotExistIsAnError) {
  EXPECT_THROW(reducer.mark_ready(3), std::out_of_range);
}

TEST_F(ReducerTest, APlanMustTileTheGradient) {
  const auto refuses = [&](const std::vector<Bucket>& bad) {
    EXPECT_THROW(Reducer(communicator, bad, gradients), std::invalid_argument);
  };
  refuses({});
  refuses({{0, 5}});
  refuses({{0, 7}});
  refuses({{0, 2}, {3, 6}});
  refuses({{0, 4}, {3, 6}});
  refuses({{0, 3}, {3, 3}, {3, 6}});
}

TEST_F(ReducerTest, AnEmptyGradientHasAnEmptyPlan) {
  Reducer empty(communicator, {}, {});
  EXPECT_EQ(empty.bucket_count(), 0U);
  empty.finish();
  EXPECT_TRUE(communicator.reduced.empty());
}

}  // namespace
}  // namespace lockstep::dist
