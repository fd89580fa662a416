// Gradients over MPI travel while the caller computes. Runs under mpirun; every rank runs every test.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "dist/reducer.h"
#include "tests/support/mpi_main.h"

namespace lockstep::dist {
namespace {

using namespace std::chrono_literals;

/// A backward pass as MPI sees it: a busy thread that does not call it.
void compute_for(Clock::duration duration) {
  const auto end = Clock::now() + duration;
  while (Clock::now() < end) {
  }
}

TEST(Overlap, ABucketIsReducedWhileTheRestIsComputed) {
  const int ranks = tests::mpi().world_size();
  const auto communicator = make_mpi_communicator();
  std::vector<float> gradients(1 << 20, 1.0F);
  Reducer reducer(*communicator, {{0, 1 << 19}, {1 << 19, 1 << 20}}, gradients);
  const bool late = ranks > 1 && tests::mpi().rank() == ranks - 1;
  communicator->barrier();

  if (late) std::this_thread::sleep_for(50ms);
  reducer.mark_ready(0);
  reducer.mark_ready(1);
  const auto marked = Clock::now();
  compute_for(200ms * ranks);  // the ranks may have to share few cores
  const auto computed = Clock::now();
  reducer.finish();

  const ReductionTimes& times = reducer.times();
  EXPECT_TRUE(late || ranks == 1 || marked < times.reductions[0].end);
  EXPECT_LT(times.reductions[0].end, times.reductions[1].end);
  EXPECT_LT(times.reductions[1].end, computed);
  // Nothing was left to wait for; half of a single rank's share is room for a busy machine's scheduler.
  EXPECT_LT(times.exposed, 100ms);
  EXPECT_EQ(gradients, std::vector<float>(1 << 20, static_cast<float>(ranks)));
}

TEST(Overlap, ARankThatIsLateIsWaitedForInFinish) {
  const int ranks = tests::mpi().world_size();
  if (ranks == 1) return;
  const auto communicator = make_mpi_communicator();
  std::vector<float> gradients(1000, 1.0F);
  Reducer reducer(*communicator, {{0, 1000}}, gradients);
  communicator->barrier();

  const bool late = tests::mpi().rank() == ranks - 1;
  if (late) std::this_thread::sleep_for(200ms);
  reducer.mark_ready(0);
  reducer.finish();
  EXPECT_TRUE(late || reducer.times().exposed > 100ms);
  EXPECT_EQ(gradients, std::vector<float>(1000, static_cast<float>(ranks)));
}

TEST(Overlap, TheControlPlaneIsFreeMeanwhile) {
  const auto communicator = make_mpi_communicator();
  const auto control = make_control_plane();
  std::vector<float> gradients(1 << 22, 1.0F);
  for (int repeat = 0; repeat < 5; ++repeat) {
    communicator->start_all_reduce_sum(gradients);
    EXPECT_EQ(control->sum(std::vector<int64_t>{repeat})[0], repeat * control->world_size());
    EXPECT_EQ(control->broadcast(std::to_string(repeat), 0), std::to_string(repeat));
    communicator->wait();
  }
}

TEST(Overlap, AbortCallsBackARankThatWaitsForTheOthers) {
  const auto communicator = make_mpi_communicator();
  const auto control = make_control_plane();
  std::vector<float> gradients(1000, 1.0F);
  if (communicator->world_size() > 1 && communicator->rank() == 0) {
    communicator->start_all_reduce_sum(gradients);  // alone
    std::this_thread::sleep_for(20ms);
    const auto begin = Clock::now();
    communicator->abort(kAbortExitCode, 30);
    EXPECT_LT(Clock::now() - begin, 5s);
    EXPECT_EQ(gradients, std::vector<float>(1000, 1.0F));
  }
  control->idle_barrier();
}

}  // namespace
}  // namespace lockstep::dist
