// Runs under mpirun at several world sizes; every rank runs every test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <thread>

#include "dist/agreement.h"
#include "dist/communicator.h"
#include "dist/error.h"
#include "dist/replica_check.h"

namespace lockstep::dist {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class ControlPlaneTest : public testing::Test {
 protected:
  const std::unique_ptr<ControlPlane> control = make_control_plane();
  const int rank = control->rank();
  const int world_size = control->world_size();
  const int last = world_size - 1;
};

TEST_F(ControlPlaneTest, SumsIntegersBeyond32Bits) {
  const int64_t large = int64_t{1} << 40;
  EXPECT_EQ(control->sum(std::vector<int64_t>{large, -1, rank}),
            (std::vector<int64_t>{large * world_size, -world_size, world_size * last / 2}));
}

TEST_F(ControlPlaneTest, SumsDoubles) {
  EXPECT_EQ(control->sum(std::vector<double>{0.5, 1.0 * rank}),
            (std::vector<double>{0.5 * world_size, 0.5 * world_size * last}));
  EXPECT_TRUE(control->sum(std::vector<double>{}).empty());
}

TEST_F(ControlPlaneTest, BroadcastsTextOfAnySizeFromAnyRoot) {
  for (int root = 0; root < world_size; ++root)
    for (const size_t size : {0, 1, 1000, 3000001}) {
      const std::string expected(size, static_cast<char>('a' + root));
      EXPECT_EQ(control->broadcast(rank == root ? expected : "mine", root), expected);
    }
}

TEST_F(ControlPlaneTest, BroadcastsBytesInPlaceFromAnyRoot) {
  for (int root = 0; root < world_size; ++root)
    for (const size_t size : {0, 1, 1000, 3000001}) {
      std::vector<std::byte> bytes(size, static_cast<std::byte>(rank));
      control->broadcast(bytes, root);
      EXPECT_EQ(bytes, std::vector<std::byte>(size, static_cast<std::byte>(root)));
    }
}

TEST_F(ControlPlaneTest, GathersTextsInRankOrderAtRankZeroOnly) {
  const auto text_of = [](int of) { return std::string(of * 100003, 'x') + std::to_string(of); };
  const auto texts = control->gather(text_of(rank));
  if (rank != 0) {
    EXPECT_TRUE(texts.empty());
    return;
  }
  ASSERT_EQ(texts.size(), static_cast<size_t>(world_size));
  for (int of = 0; of < world_size; ++of)
    EXPECT_EQ(texts[of], text_of(of));
}

TEST_F(ControlPlaneTest, WaitingRanksUseNextToNoProcessorTime) {
  control->idle_barrier();
  const std::clock_t before = std::clock();
  if (rank == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  control->idle_barrier();
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.2) << "of the 1 s that was waited; spinning takes all of it";
}

TEST_F(ControlPlaneTest, WaitingForABroadcastUsesNextToNoProcessorTime) {
  control->idle_barrier();
  const std::clock_t before = std::clock();
  if (rank == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  EXPECT_EQ(control->broadcast(rank == 0 ? "metrics" : "", 0), "metrics");
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.2) << "of the 1 s that was waited; spinning takes all of it";
}

TEST_F(ControlPlaneTest, IdleBarrierHoldsUntilTheLastRankArrives) {
  control->idle_barrier();
  const auto start = std::chrono::steady_clock::now();
  if (rank == last) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  control->idle_barrier();
  // 50 ms less: ranks leave the first barrier a few polls apart.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(250));
}

TEST_F(ControlPlaneTest, EqualReplicasAndSettingsPass) {
  require_equal_replicas(*control, 42, "parameters");
  require_equal_settings(*control, "seed = 42\nepochs = 3\n");
}

TEST_F(ControlPlaneTest, UnequalReplicasAreNamedOnEveryRank) {
  if (world_size < 2) return;
  const auto compare = [&] { require_equal_replicas(*control, rank == last ? 7 : 42, "parameters at step 10"); };
  EXPECT_THAT(compare, ThrowsMessage<CommunicationError>(AllOf(HasSubstr("parameters at step 10"),
                                                               HasSubstr("rank " + std::to_string(last) + " ("))));
}

TEST_F(ControlPlaneTest, OnlyTheSettingsThatDifferAreNamed) {
  if (world_size < 2) return;
  const std::string mine = rank == last ? "seed = 43\nepochs = 3\n" : "seed = 42\nepochs = 3\n";
  EXPECT_THAT([&] { require_equal_settings(*control, mine); },
              ThrowsMessage<CommunicationError>(AllOf(HasSubstr("rank 0: seed = 42"),
                                                      HasSubstr("rank " + std::to_string(last) + ": seed = 43"),
                                                      Not(HasSubstr("epochs")))));
}

TEST_F(ControlPlaneTest, SettingsInAnotherOrderDiffer) {
  if (world_size < 2) return;
  EXPECT_THAT([&] { require_equal_settings(*control, rank == 0 ? "a = 1\nb = 2\n" : "b = 2\na = 1\n"); },
              ThrowsMessage<CommunicationError>(HasSubstr("another order")));
}

TEST_F(ControlPlaneTest, WithoutFailuresRanksAgreeOnNone) {
  EXPECT_FALSE(agree(*control, std::nullopt).has_value());
}

TEST_F(ControlPlaneTest, TheLowestFailingRankSpeaksForAll) {
  // All but rank 0 fail, except in a world of one.
  std::optional<Failure> mine;
  if (rank > 0 || world_size == 1) mine = Failure{rank, 10 + rank, "failed on " + std::to_string(rank)};
  const auto agreed = agree(*control, mine);
  const int lowest = world_size == 1 ? 0 : 1;
  ASSERT_TRUE(agreed.has_value());
  EXPECT_EQ(agreed->rank, lowest);
  EXPECT_EQ(agreed->exit_code, 10 + lowest);
  EXPECT_EQ(agreed->message, "failed on " + std::to_string(lowest));
}

}  // namespace
}  // namespace lockstep::dist
