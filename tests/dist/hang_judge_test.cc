#include "dist/hang_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace lockstep::dist {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::Optional;

constexpr auto kNothing = std::nullopt;

/// Four ranks in the backward pass of step 212; a timeout of 10 s.
class HangJudgeTest : public testing::Test {
 protected:
  HangJudgeTest() : ranks(4) {
    for (RankView& view : ranks) {
      view.host = "node" + std::to_string(&view - ranks.data());
      view.activity.phase = "backward";
      view.activity.pace = Pace::kSteps;
      view.activity.step = 212;
      view.activity.reached = 1841;
      view.activity.collective = "all-reduce of bucket 3";
      view.activity.slowest_step_seconds = 1;
    }
  }

  /// It sits in one of the collectives from `from` to `to`.
  void wait_in(int rank, uint64_t from, uint64_t to, double seconds) {
    ranks[rank].activity.is_waiting = true;
    ranks[rank].activity.waits_from = from;
    ranks[rank].activity.reached = to;
    ranks[rank].activity.collective = name_of(to);
    ranks[rank].idle_seconds = seconds;
  }
  std::optional<std::string> judge(int self = 0) const { return judge_hang(self, ranks, timeout, name_of); }

  static Label name_of(uint64_t number) {
    return number >= 1838 && number < 1845 ? Label("all-reduce of bucket " + std::to_string(number - 1838)) : Label();
  }

  std::vector<RankView> ranks;
  std::optional<double> timeout = 10;
};

TEST_F(HangJudgeTest, WhoeverMakesProgressIsWell) {
  EXPECT_EQ(judge(), kNothing);
}

TEST_F(HangJudgeTest, ARankWithoutProgressIsNamedWithItsPlaceAndWhoWaits) {
  for (const int rank : {0, 2, 3})
    wait_in(rank, 1838, 1844, 31);
  ranks[1].idle_seconds = 31;
  EXPECT_EQ(judge(),
            "rank 1 (host node1) has made no progress for 31 s: phase \"backward\", step 212, last collective "
            "\"all-reduce of bucket 3\" (#1841); waiting for it: ranks 0, 2, 3 in \"all-reduce of bucket 4\" (#1842). "
            "Ending the job.");
}

TEST_F(HangJudgeTest, ARankThatIsOnlySlowIsWaitedFor) {
  for (const int rank : {0, 2, 3})
    wait_in(rank, 1838, 1844, 31);
  ranks[1].idle_seconds = 9.9;
  EXPECT_EQ(judge(), kNothing);
}

TEST_F(HangJudgeTest, ALongEvaluationOnRankZeroIsWaitedFor) {
  for (const int rank : {1, 2, 3})
    wait_in(rank, 1842, 1842, 7200);
  ranks[0].activity.phase = "evaluating";
  EXPECT_EQ(judge(), kNothing);
}

TEST_F(HangJudgeTest, RanksThatFallSilentWithinTheSameMomentAreNamedTogether) {
  ranks[1].silent_seconds = 10.1;
  ranks[2].silent_seconds = 9.8;
  ranks[3].silent_seconds = 0.3;
  EXPECT_THAT(judge(), Optional(AllOf(HasSubstr("rank 1 (host node1) has sent no sign of life for 10 s"),
                                      HasSubstr("rank 2 (host node2) has sent no sign of life for 10 s"),
                                      Not(HasSubstr("rank 3 (host")))));
  ranks[1].silent_seconds = 9.9;
  EXPECT_EQ(judge(), kNothing);
}

TEST_F(HangJudgeTest, ARankMayHangWhileNobodyWaitsYet) {
  ranks[2].idle_seconds = 11;
  EXPECT_THAT(judge(), Optional(AllOf(HasSubstr("rank 2 "), Not(HasSubstr("waiting for")))));
}

TEST_F(HangJudgeTest, ASilentRankIsNamedWithWhatIsLastKnown) {
  ranks[3].silent_seconds = 11;
  wait_in(0, 1842, 1842, 10);
  EXPECT_THAT(judge(), Optional(AllOf(HasSubstr("rank 3 (host node3) has sent no sign of life for 11 s"),
                                      HasSubstr("last known: phase \"backward\", step 212"),
                                      HasSubstr("waiting for it: rank 0 in \"all-reduce of bucket 4\" (#1842)"))));
}

TEST_F(HangJudgeTest, ASilentRankIsToBlameAlsoIfItWasWaiting) {
  for (const int rank : {0, 1, 2, 3})
    wait_in(rank, 1842, 1842, 5);
  ranks[3].silent_seconds = 11;
  EXPECT_THAT(judge(), Optional(HasSubstr("rank 3 (host node3) has sent no sign of life")));
}

TEST_F(HangJudgeTest, BriefSilenceIsNotAddedToIdleness) {
  ranks[3].idle_seconds = 9;
  ranks[3].silent_seconds = 9;
  EXPECT_EQ(judge(), kNothing);
}

TEST_F(HangJudgeTest, ARankThatWasNeverHeardHasNoHost) {
  ranks[2] = {};
  ranks[2].silent_seconds = 11;
  EXPECT_THAT(judge(), Optional(HasSubstr("rank 2 has sent no sign of life for 11 s")));
}

TEST_F(HangJudgeTest, AllThatHungAreNamed) {
  ranks[1].idle_seconds = 12;
  ranks[3].silent_seconds = 12;
  wait_in(0, 1842, 1842, 11);
  EXPECT_THAT(judge(), Optional(AllOf(HasSubstr("rank 1 (host node1) has made no progress"),
                                      HasSubstr("; rank 3 (host node3) has sent no sign of life"),
                                      HasSubstr("waiting for them: rank 0 "))));
}

TEST_F(HangJudgeTest, RanksThatWentOnAreInTheirOwnCollective) {
  wait_in(0, 1842, 1842, 11);
  wait_in(2, 1843, 1843, 11);  // a gathering let it through
  ranks[1].idle_seconds = 11;
  EXPECT_THAT(judge(), Optional(HasSubstr("rank 0 in \"all-reduce of bucket 4\" (#1842), rank 2 in \"all-reduce of "
                                          "bucket 5\" (#1843)")));
}

TEST_F(HangJudgeTest, ACollectiveWhoseNameIsForgottenHasItsNumber) {
  wait_in(0, 1842, 5000, 11);
  ranks[1].activity.reached = 4000;
  ranks[1].idle_seconds = 11;
  EXPECT_THAT(judge(), Optional(HasSubstr("rank 0 in collective (#4001)")));
}

TEST_F(HangJudgeTest, ACollectiveThatOnlyTheOthersHaveReachedIsNamedByThem) {
  wait_in(1, 2000, 2000, 11);
  ranks[1].activity.collective = "barrier";
  ranks[0].idle_seconds = 11;
  EXPECT_THAT(judge(), Optional(HasSubstr("waiting for it: rank 1 in \"barrier\" (#2000)")));
}

TEST_F(HangJudgeTest, ALostMessageIsNobodysFault) {
  for (const int rank : {0, 1, 2, 3})
    wait_in(rank, 1842, 1842, 11 + rank);
  EXPECT_THAT(judge(), Optional(AllOf(HasSubstr("all ranks wait for each other, for 11 s: ranks 0, 1, 2, 3 in "
                                                "\"all-reduce of bucket 4\" (#1842)"),
                                      HasSubstr("step 212"), HasSubstr("Ending the job."))));
}

TEST_F(HangJudgeTest, RanksThatWaitInDifferentCollectivesAreToldApart) {
  for (const int rank : {0, 1, 2, 3})
    wait_in(rank, 1842 + rank % 2, 1842 + rank % 2, 11);
  EXPECT_THAT(judge(), Optional(HasSubstr("ranks 0, 2 in \"all-reduce of bucket 4\" (#1842), ranks 1, 3 in "
                                          "\"all-reduce of bucket 5\" (#1843)")));
}

TEST_F(HangJudgeTest, OneRankThatJustArrivedMayStillBringTheOthersOn) {
  for (const int rank : {0, 1, 2, 3})
    wait_in(rank, 1842, 1842, rank == 2 ? 1 : 60);
  EXPECT_EQ(judge(), kNothing);
}

TEST_F(HangJudgeTest, OnlyTheLowestLivingRankSpeaks) {
  ranks[2].idle_seconds = 11;
  EXPECT_EQ(judge(1), kNothing);
  EXPECT_EQ(judge(2), kNothing);
  ranks[0].silent_seconds = 11;
  EXPECT_THAT(judge(1), Optional(HasSubstr("rank 0 (host node0) has sent no sign of life")));
  EXPECT_EQ(judge(3), kNothing);
}

TEST_F(HangJudgeTest, ARankMayNameItself) {
  ranks[0].idle_seconds = 11;
  EXPECT_THAT(judge(0), Optional(HasSubstr("rank 0 (host node0) has made no progress")));
}

TEST_F(HangJudgeTest, WhoSaidGoodbyeIsNotMissed) {
  for (const int rank : {1, 2}) {
    ranks[rank].has_left = true;
    ranks[rank].silent_seconds = 100;
    ranks[rank].idle_seconds = 100;
  }
  EXPECT_EQ(judge(), kNothing);
  ranks[3].idle_seconds = 11;
  EXPECT_THAT(judge(), Optional(AllOf(HasSubstr("rank 3"), Not(HasSubstr("rank 1")))));
}

TEST_F(HangJudgeTest, WhoSaidGoodbyeLongAgoDoesNotKeepOthersFromSpeaking) {
  ranks[0].has_left = true;
  ranks[2].silent_seconds = 11;
  EXPECT_EQ(judge(1), kNothing);
  ranks[0].silent_seconds = 11;
  EXPECT_THAT(judge(1), Optional(HasSubstr("rank 2")));
}

TEST_F(HangJudgeTest, WithoutATimeoutPatienceFollowsTheSteps) {
  Activity activity = ranks[0].activity;
  EXPECT_EQ(patience_with(activity, kNothing), 30);
  activity.slowest_step_seconds = 8;
  EXPECT_EQ(patience_with(activity, kNothing), 80);
  EXPECT_EQ(patience_with(activity, 5), 5);
  EXPECT_EQ(patience_with_silence(kNothing), 30);
}

TEST_F(HangJudgeTest, WithoutATimeoutWhatNobodyHasTimedMayTakeTenMinutes) {
  Activity activity = ranks[0].activity;
  activity.slowest_step_seconds = 0;
  EXPECT_EQ(patience_with(activity, kNothing), 600);
  activity.slowest_step_seconds = 8;
  activity.pace = Pace::kOpen;
  EXPECT_EQ(patience_with(activity, kNothing), 600);
  EXPECT_EQ(patience_with(activity, 5), 5);
}

}  // namespace
}  // namespace lockstep::dist
