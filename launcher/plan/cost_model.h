#pragma once

#include <cstdint>

namespace lockstep {

// What reducing gradients should cost: the alpha-beta model of an all-reduce, and how much of it backward hides. A
// model in closed form, which reads and measures nothing; docs/guide/clusters.md has the formulas and their sources.
// Units: bytes, seconds, bytes per second.

/// Seconds that a message takes before its first byte has arrived. The defaults are those of NCCL's own model for its
/// protocol for large messages, "Simple" (NVIDIA/nccl, src/graph/tuning.cc).
struct Latencies {
  double start = 8.4e-6;     // of each all-reduce
  double ring_hop = 3.4e-6;  // between GPUs of a node, on one node
  double ring_hop_of_several =
      6.0e-6;                // the same where a ring spans nodes, whose hosts then take part (AMD's; Intel 3.4)
  double tree_hop = 4.0e-6;  // between GPUs of a node, in a tree
  double network = 14e-6;    // between nodes
};

/// Equal nodes, each with GPUs that are joined among themselves (NVLink) and network adapters.
struct Cluster {
  int gpus_per_node = 8;
  double local_rate = 400e9;  // of a GPU to its neighbour in the node, each way
  double node_rate = 360e9;   // of a node to the other nodes, each way, over all of its adapters
  Latencies latencies;
};

/// Nodes that `gpus` > 0 fill, the last one perhaps partly.
int64_t nodes_of(const Cluster& cluster, int64_t gpus);

enum class Algorithm { kRing, kTree };

/// Seconds of one all-reduce of `bytes` over `gpus` (1: nothing is to be done, 0 s). With n GPUs on N nodes
///   max(2 bytes (n - 1) / n / local_rate, 2 bytes (N - 1) / N / node_rate) + alpha
/// where alpha is `start` and, in a ring, 2 (n - 1) hops, of which 2 N lead from node to node; in a tree, twice the
/// GPUs of a node but one, and twice log2 N, rounded up, from node to node.
double all_reduce_seconds(const Cluster& cluster, int64_t gpus, double bytes, Algorithm algorithm);
/// With the better algorithm, as NCCL chooses it.
double all_reduce_seconds(const Cluster& cluster, int64_t gpus, double bytes);

/// One optimizer step of every GPU, up to the exchange.
struct StepWork {
  double compute = 0;         // seconds of the computation alone
  double layer_bytes = 0;     // of gradient that is final while backward still computes
  int64_t layer_buckets = 1;  // all-reduces that it travels in
  double last_bytes = 0;      // of gradient that is final when backward ends: the word embeddings'
};

/// Of a step's computation, the share beside which gradients can travel: that of backward after its first bucket.
inline constexpr double kOverlap = 0.6;

struct StepCost {
  double compute = 0;
  double reduction = 0;  // all all-reduces, hidden or not
  double exposed = 0;    // of that, what the step waits for
  double seconds() const { return compute + exposed; }
};

/// exposed = max(0, layers' all-reduces - kOverlap compute) + the last one's.
StepCost cost_of_step(const Cluster& cluster, int64_t gpus, const StepWork& work);

}  // namespace lockstep
