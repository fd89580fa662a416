#include "launcher/loop/slow_network.h"

#include <gmock/gmock.h>

namespace lockstep {
namespace {

using testing::ElementsAre;

/// The number of the step, of `steps` of which `network` seconds each are the network's, that brings a finding; else 0.
int found(SlowNetwork& slow, int steps, double network) {
  for (int step = 1; step <= steps; ++step)
    if (slow.observe(0.2 + network, network)) return step;
  return 0;
}

TEST(SlowNetwork, ADelayOf200MillisecondsIsFoundWithin20Steps) {
  SlowNetwork slow;
  EXPECT_EQ(found(slow, 50, 0.01), 0);
  const int step = found(slow, 20, 0.2);
  EXPECT_GT(step, 1) << "one late step is none";
  EXPECT_LE(step, 20);
}

TEST(SlowNetwork, IsToldOnceUntilTheNetworkWasBetter) {
  SlowNetwork slow;
  EXPECT_NE(found(slow, 20, 0.2), 0);
  EXPECT_EQ(found(slow, 100, 0.2), 0);
  EXPECT_EQ(found(slow, 20, 0.01), 0);
  EXPECT_NE(found(slow, 20, 0.2), 0);
}

TEST(SlowNetwork, LittleTimesAndLittleSharesAreNone) {
  SlowNetwork slow;
  for (int step = 0; step < 100; ++step) {
    EXPECT_FALSE(slow.observe(0.05, 0.04)) << "40 ms matter to nobody";
    EXPECT_FALSE(slow.observe(1.0, step % 4 == 0 ? 0.9 : 0.2)) << "a fifth, and now and then more";
  }
}

TEST(FirstRanks, AreOneOfEachHost) {
  EXPECT_THAT(first_ranks({"a", "a", "b", "a", "c", "b"}), ElementsAre(0, 2, 4));
}

/// The links of a circle of hosts with one rank each, of which host `slow` has a worse one in both directions.
std::vector<dist::LinkSpeed> circle(int hosts, int slow) {
  std::vector<dist::LinkSpeed> links;
  for (int host = 0; host < hosts; ++host) {
    const int next = (host + 1) % hosts;
    const bool worse = host == slow || next == slow;
    for (const auto& [from, to] : {std::pair(host, next), std::pair(next, host)})
      links.push_back({from, to, worse ? 12.34e6 : 1.1e9 + 1e6 * host, worse ? 0.0402 : 0.0001});
  }
  return links;
}

TEST(LinkWords, NameTheHostAllWaysToWhichAreSlow) {
  EXPECT_EQ(
      words_on_links(circle(4, 2), {"h1", "h2", "h3", "h4"}),
      "the slowest link is that of h3: 12.3 MB/s, 40.20 ms there and back; the other hosts have at least 1100 MB/s");
  EXPECT_EQ(
      words_on_links(circle(3, 0), {"h1", "h2", "h3"}),
      "the slowest link is that of h1: 12.3 MB/s, 40.20 ms there and back; the other hosts have at least 1101 MB/s");
}

TEST(LinkWords, ALinkThatIsSlowInOneDirectionIsSlow) {
  std::vector<dist::LinkSpeed> links = circle(3, -1);
  links[1].bytes_per_second = links[2].bytes_per_second = 2e6;  // out of the second host
  EXPECT_THAT(words_on_links(links, {"a", "b", "c"}), testing::StartsWith("the slowest link is that of b: 2.0 MB/s"));
}

TEST(LinkWords, OfTwoHostsNeitherIsBlamed) {
  EXPECT_EQ(words_on_links({{0, 2, 5e6, 0.001}, {2, 0, 9e6, 0.001}}, {"h1", "h1", "h2"}),
            "the link between h1 and h2 carries 5.0 MB/s, 1.00 ms there and back");
}

TEST(LinkWords, EqualLinksAreCalledSo) {
  EXPECT_EQ(words_on_links(circle(3, -1), {"a", "b", "c"}),
            "no host stands out: each has a link of at least 1101 MB/s, 0.10 ms there and back");
}

}  // namespace
}  // namespace lockstep
