// A rank is killed at each named point of a run: of rank 0, and of rank 1 where that comes by. One run goes on through
// all of them, in an order that the seed gives, and has to end as if nothing had happened.
#include <algorithm>

#include "tests/fault/victim.h"

namespace lockstep {
namespace {

using tests::FaultRow;

/// Where, by how many ranks, and the most of which time it is to be: one of 1 to `hits`.
struct Point {
  const char* name;
  int ranks;  // 1: only rank 0 comes by
  int hits;
};

const std::vector<Point> kOfARun = {
    {"start", 2, 1},      {"mpi-initialized", 2, 1}, {"loading", 2, 1},    {"loaded", 2, 1},
    {"locked", 2, 1},     {"verifying", 2, 1},       {"begun", 2, 1},      {"shard-read", 2, 2},
    {"restored", 2, 1},   {"replicas-made", 2, 1},   {"connected", 2, 1},  {"step", 2, 8},
    {"forward", 2, 8},    {"backward", 2, 30},       {"all-reduce", 2, 8}, {"optimizer", 2, 8},
    {"step-done", 2, 8},  {"epoch-end", 2, 2},       {"evaluating", 1, 2}, {"evaluated", 2, 1},
    {"publishing", 1, 1}, {"published", 1, 1}};
const std::vector<Point> kOfACommit = {{"announcing", 1, 2},     {"folder-made", 1, 2},     {"snapshot", 2, 2},
                                       {"shard-begin", 2, 2},    {"shard-open", 2, 2},      {"shard-middle", 2, 6},
                                       {"flush", 2, 2},          {"shard-flushed", 2, 2},   {"collected", 2, 2},
                                       {"commit-begin", 1, 2},   {"before-manifest", 1, 2}, {"manifest-written", 1, 2},
                                       {"folder-flushed", 1, 2}, {"before-rename", 1, 2},   {"after-rename", 1, 2},
                                       {"removing", 1, 2},       {"removing-rest", 1, 2},   {"concluded", 2, 2}};
const std::vector<Point> kOfTheEnd = {
    {"trained", 2, 1}, {"results-written", 2, 1}, {"before-finalize", 2, 1}, {"finalized", 2, 1}};

struct Kill {
  Point point;
  int rank;
};

class KillPoints : public tests::Victim {
 protected:
  KillPoints() : Victim(480) {}

  static std::vector<Kill> kills_at(const std::vector<Point>& points) {
    std::vector<Kill> kills;
    for (const Point& point : points)
      for (int rank = 0; rank < point.ranks; ++rank)
        kills.push_back({point, rank});
    return kills;
  }

  void kill(const Kill& kill, FaultRow::Random& random, FaultRow& row) {
    const auto hit = 1 + random() % static_cast<uint64_t>(kill.point.hits);
    const std::string rank = std::to_string(kill.rank);
    const std::string wish = std::string(kill.point.name) + ":" + rank + ":" + std::to_string(hit) + ":kill";
    SCOPED_TRACE(wish);
    row.count([&] {
      const auto job = go_on({"LOCKSTEP_FAILPOINT=" + wish});
      EXPECT_TRUE(ends_by_a_kill(*job, false, "error: rank " + rank + " on host ", row));
    });
  }

  /// One run that goes on from kill to kill, in any order, and then to its end.
  void kill_at_each_of(const std::vector<Point>& points, FaultRow::Random& random, FaultRow& row) {
    begin_anew();
    kill({{"concluded", 2, 1}, 0}, random, row);  // from here on there is a checkpoint to read
    std::vector<Kill> kills = kills_at(points);
    std::shuffle(kills.begin(), kills.end(), random);
    for (const Kill& each : kills)
      kill(each, random, row);
  }
};

TEST_F(KillPoints, OfACommit) {
  FaultRow row("commit_points", 1);
  row.for_each_seed([&](FaultRow::Random& random) {
    kill_at_each_of(kOfACommit, random, row);
    expect_that_it_ends_as_if_unbroken();
  });
}

TEST_F(KillPoints, WhileACheckpointTakesTheNameOfAnEarlierTrainings) {
  EXPECT_EQ(go_on({"LOCKSTEP_FAILPOINT=concluded:0:4:kill"})->exit_code(), 128 + SIGKILL);
  const size_t before = stored().size();
  const auto job = train_anew({"LOCKSTEP_FAILPOINT=exchanged:0:1:kill"});
  EXPECT_EQ(job->exit_code(), 128 + SIGKILL) << job->output();
  EXPECT_EQ(stored().size(), before);
  EXPECT_EQ(stored().front().manifest->attempt, 2);
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(KillPoints, OfARun) {
  FaultRow row("run_points", 1);
  row.for_each_seed([&](FaultRow::Random& random) {
    kill_at_each_of(kOfARun, random, row);
    for (const Kill& each : kills_at(kOfTheEnd))
      kill(each, random, row);
    expect_that_it_ends_as_if_unbroken();
  });
}

}  // namespace
}  // namespace lockstep
