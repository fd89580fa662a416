// The tables of the design's communication model, which the formulas must give again.
#include "launcher/plan/cost_model.h"

#include <gtest/gtest.h>

#include <vector>

#include "launcher/plan/training_plan.h"
#include "model/parameter_layout.h"

namespace lockstep {
namespace {

constexpr double kGradient = 66955010 * 4.0;  // DistilBERT, fp32
constexpr double kWords = 30522 * 768 * 4.0;  // its word embeddings
constexpr double kRow = 768 * 4.0;

Cluster with_node_rate(double rate) {
  Cluster cluster;
  cluster.node_rate = rate;
  return cluster;
}

const Cluster k8x400 = with_node_rate(360e9), k1x400 = with_node_rate(45e9), k1x100 = with_node_rate(11.25e9);

std::vector<double> milliseconds(const Cluster& cluster, auto... algorithm) {
  std::vector<double> all;
  for (const int64_t gpus : {8, 64, 512, 4096})
    all.push_back(1e3 * all_reduce_seconds(cluster, gpus, kGradient, algorithm...));
  return all;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& table, double half_of_last_digit) {
  for (size_t i = 0; i < table.size(); ++i)
    EXPECT_NEAR(found[i], table[i], half_of_last_digit * 1.02) << "column " << i;
}

TEST(AllReduce, TakesWhatTheDesignsTableSays) {
  expect_near(milliseconds(k8x400), {1.23, 1.47, 1.70, 1.80}, 0.005);
  expect_near(milliseconds(k1x400), {1.23, 10.6, 12.0, 12.2}, 0.05);
  expect_near(milliseconds(k1x100), {1.23, 41.8, 47.1, 47.8}, 0.05);
  expect_near(milliseconds(k8x400, Algorithm::kRing), {1.23, 2.2, 8.6, 58.8}, 0.05);
}

TEST(AllReduce, OfOneGpuIsNothing) {
  EXPECT_EQ(all_reduce_seconds(k8x400, 1, kGradient), 0);
}

TEST(AllReduce, OfNothingTakesTheLatencies) {
  const Latencies l;
  EXPECT_DOUBLE_EQ(all_reduce_seconds(k8x400, 64, 0, Algorithm::kTree), l.start + 2 * (7 * l.tree_hop + 3 * l.network));
  EXPECT_DOUBLE_EQ(all_reduce_seconds(k8x400, 64, 0, Algorithm::kRing),
                   l.start + 110 * l.ring_hop_of_several + 16 * l.network);
}

TEST(AllReduce, BetweenNodesOfOneGpuHasNoHopsInside) {
  Cluster hosts = k1x100;
  hosts.gpus_per_node = 1;
  hosts.local_rate = 1;  // would take years
  EXPECT_DOUBLE_EQ(all_reduce_seconds(hosts, 2, 11.25e9, Algorithm::kRing),
                   1 + hosts.latencies.start + 2 * hosts.latencies.network);
  EXPECT_DOUBLE_EQ(all_reduce_seconds(hosts, 3, 0, Algorithm::kTree),
                   hosts.latencies.start + 4 * hosts.latencies.network);
}

TEST(AllReduce, NodesThatAreNotFullCount) {
  EXPECT_EQ(nodes_of(k8x400, 8), 1);
  EXPECT_EQ(nodes_of(k8x400, 9), 2);
}

TEST(AllReduce, TwiceTheBytesTakeTwiceTheTimeBesidesTheLatency) {
  const double once = all_reduce_seconds(k1x100, 64, kGradient, Algorithm::kTree),
               twice = all_reduce_seconds(k1x100, 64, 2 * kGradient, Algorithm::kTree),
               none = all_reduce_seconds(k1x100, 64, 0, Algorithm::kTree);
  EXPECT_NEAR(twice - none, 2 * (once - none), 1e-12);
}

/// Percent, as the design's table of weak scaling: computation of 3.4 ms for 16 reviews, 19.4 ms for 128.
double efficiency(const Cluster& cluster, int64_t gpus, int64_t batch, double last_bytes) {
  const double compute = batch == 16 ? 3.4e-3 : 19.4e-3;
  return 100 * compute / cost_of_step(cluster, gpus, {compute, kGradient - kWords, 1, last_bytes}).seconds();
}

TEST(Step, ScalesAsInTheDesignsTable) {
  const struct {
    int64_t batch;
    const Cluster* cluster;
    std::vector<double> percent;
  } table[] = {{16, &k8x400, {88, 85, 82, 80}},  {16, &k1x400, {88, 28, 25, 25}},  {16, &k1x100, {88, 8, 7, 7}},
               {128, &k8x400, {98, 97, 96, 96}}, {128, &k1x400, {98, 84, 82, 81}}, {128, &k1x100, {98, 39, 35, 35}}};
  for (const auto& row : table)
    for (size_t i = 0; i < 4; ++i)
      EXPECT_NEAR(efficiency(*row.cluster, 8LL << (3 * i), row.batch, kWords), row.percent[i], 1)
          << row.batch << " on " << row.cluster->node_rate << ", column " << i;
}

TEST(Step, ScalesBetterWithTouchedRowsAsInTheDesignsTable) {
  EXPECT_NEAR(efficiency(k8x400, 8, 16, 5420 * kRow), 96, 1);
  EXPECT_NEAR(efficiency(k8x400, 64, 16, 14053 * kRow), 91, 1);
  EXPECT_NEAR(efficiency(k1x400, 64, 16, 14053 * kRow), 33, 1);
  EXPECT_NEAR(efficiency(k1x100, 64, 16, 14053 * kRow), 10, 1);
  EXPECT_NEAR(efficiency(k8x400, 512, 16, 22594 * kRow), 85, 1);
  EXPECT_NEAR(efficiency(k1x400, 512, 16, 22594 * kRow), 27, 1);
  EXPECT_NEAR(efficiency(k8x400, 8, 128, 14053 * kRow), 99, 1);
  EXPECT_NEAR(efficiency(k1x400, 64, 128, 22594 * kRow), 87, 1);
  EXPECT_NEAR(efficiency(k1x100, 64, 128, 22594 * kRow), 42, 1);
}

TEST(Step, HidesTheLayersButNotTheLastReduction) {
  const double layers = all_reduce_seconds(k1x100, 16, 1e6), last = all_reduce_seconds(k1x100, 16, 1e5);
  const StepCost long_step = cost_of_step(k1x100, 16, {1, 3e6, 3, 1e5});
  EXPECT_DOUBLE_EQ(long_step.exposed, last);
  EXPECT_DOUBLE_EQ(long_step.reduction, 3 * layers + last);
  const StepCost no_computation = cost_of_step(k1x100, 16, {0, 3e6, 3, 1e5});
  EXPECT_DOUBLE_EQ(no_computation.exposed, no_computation.reduction);
}

}  // namespace
}  // namespace lockstep
