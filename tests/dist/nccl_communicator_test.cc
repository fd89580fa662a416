// What NcclCommunicator does with NCCL beyond the contract of communicator_test.cc. Runs under mpirun; every rank runs
// every test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <future>
#include <thread>

#include "dist/error.h"
#include "tests/dist/fake_nccl.h"

namespace lockstep::dist {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

class NcclTest : public testing::Test {
 protected:
  ~NcclTest() override {
    communicator.reset();
    EXPECT_EQ(nccl->misuse, std::vector<std::string>{});
    EXPECT_EQ(nccl->live_handles(), 0);
  }

  std::vector<float> memory = std::vector<float>(10, 1.0F);
  const std::unique_ptr<ControlPlane> control = make_control_plane();
  const std::shared_ptr<FakeNccl> nccl = std::make_shared<FakeNccl>();
  void* const compute_stream = nccl->new_compute_stream();
  std::unique_ptr<Communicator> communicator =
      make_nccl_communicator_over(nccl, *control, {.compute_stream = compute_stream});
  const int rank = control->rank();
  const std::string this_rank = "on rank " + std::to_string(rank);
};

TEST_F(NcclTest, WorkQueuedAfterAReductionDoesNotWaitForIt) {
  bool ran = false;
  communicator->start_all_reduce_sum(memory);
  nccl->queue(compute_stream, [&] { ran = true; });
  nccl->run_all(compute_stream);
  EXPECT_TRUE(ran);
  EXPECT_EQ(memory, std::vector<float>(10, 1.0F));
  communicator->wait();
}

TEST_F(NcclTest, AReductionBeginsWhereItsValuesAreMadeAndNotLater) {
  bool later_work_ran = false;
  communicator->start_all_reduce_sum(memory);
  nccl->queue(compute_stream, [&] { later_work_ran = true; });
  communicator->wait();
  EXPECT_FALSE(later_work_ran);
}

TEST_F(NcclTest, AfterWaitTheSumsAreThereForTheHostAsWell) {
  communicator->start_all_reduce_sum(memory);
  communicator->wait();
  EXPECT_EQ(memory, std::vector<float>(10, static_cast<float>(control->world_size())));
}

TEST_F(NcclTest, TimesAreTheDevicesOwn) {
  const auto begin = Clock::now();
  communicator->start_all_reduce_sum(memory);
  communicator->start_all_reduce_sum(memory);
  const ReductionTimes times = communicator->wait();
  const auto slack = std::chrono::milliseconds(1);  // elapsed times are floats of milliseconds
  EXPECT_GE(times.reductions[0].begin, begin - slack);
  EXPECT_LE(times.reductions[1].end, Clock::now() + slack);
  EXPECT_LE(times.exposed, times.reductions[1].end - times.reductions[0].begin + slack);
}

TEST_F(NcclTest, AnErrorOfNcclsOwnThreadsIsThrownByTheNextWait) {
  communicator->start_all_reduce_sum(memory);
  nccl->async_failure = "remote process exited or there was a network error";
  EXPECT_THAT([&] { communicator->wait(); },
              ThrowsMessage<CommunicationError>(AllOf(HasSubstr("the reductions of this step"), HasSubstr(this_rank),
                                                      HasSubstr("remote process exited"))));
}

TEST_F(NcclTest, AnErrorWhileACallIsUnderWayNamesTheCall) {
  nccl->async_failure = "unhandled system error";
  EXPECT_THAT([&] { communicator->start_all_reduce_sum(memory); },
              ThrowsMessage<CommunicationError>(
                  AllOf(HasSubstr("ncclAllReduce failed " + this_rank), HasSubstr("unhandled system error"))));
}

TEST_F(NcclTest, RanksThatIssueDifferentReductionsLearnOfIt) {
  if (control->world_size() == 1) return;
  communicator->start_all_reduce_sum(std::span(memory).first(rank == 0 ? 10 : 9));
  EXPECT_THAT([&] { communicator->wait(); },
              ThrowsMessage<CommunicationError>(HasSubstr("ranks issued different collectives")));
}

TEST_F(NcclTest, AbortGivesUpPendingReductionsAndTouchesNcclNoMore) {
  communicator->start_all_reduce_sum(memory);
  communicator->abort(kAbortExitCode, 30);
  EXPECT_THROW(communicator->start_all_reduce_sum(memory), CommunicationError);
  EXPECT_THROW(communicator->wait(), CommunicationError);
  nccl->synchronize(compute_stream);
  EXPECT_EQ(memory, std::vector<float>(10, 1.0F));
}

TEST(NcclEnd, IsWaitedForWhileItLasts) {
  const auto control = make_control_plane();
  const auto nccl = std::make_shared<FakeNccl>();
  bool is_over = false;
  nccl->during_abort = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    is_over = true;
  };
  make_nccl_communicator_over(nccl, *control, {}).reset();
  EXPECT_TRUE(is_over);
  EXPECT_EQ(nccl->live_handles(), 0);
}

TEST(NcclEnd, ThatHangsIsLeftBehindWithItsHandles) {
  const auto control = make_control_plane();
  const auto nccl = std::make_shared<FakeNccl>();
  std::promise<void> gate;
  nccl->during_abort = [open = gate.get_future().share()] { open.wait(); };
  std::vector<float> memory(10, 1.0F);
  auto communicator = make_nccl_communicator_over(nccl, *control, {.compute_stream = nccl->new_compute_stream()}, 0.05);
  communicator->start_all_reduce_sum(memory);
  communicator->wait();
  communicator.reset();
  EXPECT_GT(nccl->live_handles(), 0);
  gate.set_value();
  while (nccl.use_count() > 1)  // by the thread that was left
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(NcclSetup, ADeviceThatIsNotThereIsNamedWithTheCallAndTheRank) {
  const auto control = make_control_plane();
  const auto nccl = std::make_shared<FakeNccl>();
  EXPECT_THAT([&] { make_nccl_communicator_over(nccl, *control, {.device = 3}); },
              ThrowsMessage<CommunicationError>("cudaSetDevice failed on rank " + std::to_string(control->rank()) +
                                                ": invalid device ordinal"));
  EXPECT_EQ(nccl->live_handles(), 0);
}

TEST(NcclSetup, AFailureToJoinLeavesNothingBehind) {
  const auto control = make_control_plane();
  const auto nccl = std::make_shared<FakeNccl>();
  nccl->async_failure = "bootstrap failed";
  EXPECT_THAT([&] { make_nccl_communicator_over(nccl, *control, {}); },
              ThrowsMessage<CommunicationError>(
                  AllOf(HasSubstr("ncclCommInitRankConfig failed on rank"), HasSubstr("bootstrap failed"))));
  EXPECT_TRUE(nccl->is_aborted());
  EXPECT_EQ(nccl->live_handles(), 0);
}

// In a build with CUDA this reaches the real library.
TEST(NcclSetup, WithoutAGpuTheRealLibrarySaysSo) {
  if (access("/dev/nvidiactl", F_OK) == 0) GTEST_SKIP() << "this machine has a GPU";
  const auto control = make_control_plane();
  EXPECT_THAT([&] { make_nccl_communicator(*control, {}); },
              ThrowsMessage<CommunicationError>(
                  HasSubstr(LOCKSTEP_CUDA ? "cudaSetDevice failed on rank" : "configure with -DLOCKSTEP_CUDA=ON")));
}

}  // namespace
}  // namespace lockstep::dist
