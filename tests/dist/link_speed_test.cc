// Runs under mpirun at several world sizes; every rank runs every test.
#include "dist/link_speed.h"

#include <gmock/gmock.h>

#include <numeric>

namespace lockstep::dist {
namespace {

class LinkSpeedTest : public testing::Test {
 protected:
  std::vector<int> circle(int ranks) const {
    std::vector<int> members(static_cast<size_t>(std::min(ranks, world_size)));
    std::iota(members.begin(), members.end(), 0);
    return members;
  }
  std::vector<LinkSpeed> measure(int ranks) {
    return measure_links(*control, circle(ranks), [this] { ++messages; });
  }

  const std::unique_ptr<ControlPlane> control = make_control_plane();
  const int rank = control->rank();
  const int world_size = control->world_size();
  int messages = 0;
};

TEST_F(LinkSpeedTest, EachTwoNeighboursAreMeasuredInBothDirections) {
  std::vector<std::pair<int, int>> ends;
  for (const LinkSpeed& link : measure(world_size)) {
    ends.emplace_back(link.from, link.to);
    EXPECT_GT(link.bytes_per_second, 0);
    EXPECT_GT(link.round_trip_seconds, 0);
    EXPECT_LT(link.round_trip_seconds, 60);
  }
  std::vector<std::pair<int, int>> expected;
  if (world_size == 2) expected = {{0, 1}, {1, 0}};
  if (world_size == 3) expected = {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 0}, {0, 2}};
  if (world_size == 4) expected = {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 3}, {3, 2}, {3, 0}, {0, 3}};
  EXPECT_EQ(ends, expected);
}

TEST_F(LinkSpeedTest, EveryRankGetsTheSame) {
  double sum = 0;
  for (const LinkSpeed& link : measure(world_size))
    sum += link.bytes_per_second + link.round_trip_seconds;
  EXPECT_DOUBLE_EQ(control->sum(std::vector<double>{sum})[0], world_size * sum);
}

TEST_F(LinkSpeedTest, WhoHasNoPartInItWaits) {
  const size_t links = measure(2).size();
  EXPECT_EQ(links, world_size == 1 ? 0U : 2U);
  EXPECT_EQ(messages > 0, world_size > 1 && rank < 2);
}

}  // namespace
}  // namespace lockstep::dist
