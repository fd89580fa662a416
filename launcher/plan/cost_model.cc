#include "launcher/plan/cost_model.h"

#include <algorithm>
#include <bit>

namespace lockstep {

namespace {

/// 2 S (k - 1) / k / rate: what each of k partners sends, and receives, in an all-reduce that wastes nothing.
double transfer_seconds(double bytes, int64_t partners, double rate) {
  const auto k = static_cast<double>(partners);
  return 2 * bytes * (k - 1) / k / rate;
}

double alpha_of_ring(const Latencies& latencies, int64_t gpus, int64_t nodes) {
  const int64_t hops = 2 * (gpus - 1);
  if (nodes == 1) return static_cast<double>(hops) * latencies.ring_hop;
  const int64_t between_nodes = std::min(2 * nodes, hops);
  return static_cast<double>(hops - between_nodes) * latencies.ring_hop_of_several +
         static_cast<double>(between_nodes) * latencies.network;
}

double alpha_of_tree(const Latencies& latencies, int64_t gpus_of_node, int64_t nodes) {
  const auto depth = static_cast<double>(std::bit_width(static_cast<uint64_t>(nodes - 1)));
  return 2 * (static_cast<double>(gpus_of_node - 1) * latencies.tree_hop + depth * latencies.network);
}

}  // namespace

int64_t nodes_of(const Cluster& cluster, int64_t gpus) {
  return (gpus + cluster.gpus_per_node - 1) / cluster.gpus_per_node;
}

double all_reduce_seconds(const Cluster& cluster, int64_t gpus, double bytes, Algorithm algorithm) {
  if (gpus == 1) return 0;
  const int64_t nodes = nodes_of(cluster, gpus);
  const int64_t gpus_of_node = std::min<int64_t>(gpus, cluster.gpus_per_node);
  const double inside = gpus_of_node > 1 ? transfer_seconds(bytes, gpus, cluster.local_rate) : 0;
  const double between = transfer_seconds(bytes, nodes, cluster.node_rate);
  const double alpha = algorithm == Algorithm::kRing ? alpha_of_ring(cluster.latencies, gpus, nodes)
                                                     : alpha_of_tree(cluster.latencies, gpus_of_node, nodes);
  return std::max(inside, between) + cluster.latencies.start + alpha;
}

double all_reduce_seconds(const Cluster& cluster, int64_t gpus, double bytes) {
  return std::min(all_reduce_seconds(cluster, gpus, bytes, Algorithm::kRing),
                  all_reduce_seconds(cluster, gpus, bytes, Algorithm::kTree));
}

StepCost cost_of_step(const Cluster& cluster, int64_t gpus, const StepWork& work) {
  const auto buckets = static_cast<double>(work.layer_buckets);
  const double layers = buckets * all_reduce_seconds(cluster, gpus, work.layer_bytes / buckets);
  const double last = all_reduce_seconds(cluster, gpus, work.last_bytes);
  return {work.compute, layers + last, std::max(0.0, layers - kOverlap * work.compute) + last};
}

}  // namespace lockstep
