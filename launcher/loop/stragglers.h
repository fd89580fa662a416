#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace lockstep {

/// Finds ranks that keep the others waiting. Global batches are dealt by arithmetic, so every rank's own time for a
/// step, without its waiting for others, should be the same. A function of what it observes: where all ranks observe
/// the same, all find the same.
class Stragglers {
 public:
  struct Straggler {
    int rank = 0;
    double seconds = 0;         // its own time a step
    double others_seconds = 0;  // that of the other ranks
  };

  /// Every rank's own seconds of one step. Returns a rank that is behind by a quarter of the others' time, and by 50
  /// ms, in the median of the last 10 steps; each once, until it has kept pace again.
  std::optional<Straggler> observe(std::span<const double> seconds);
  /// Mean by rank of the steps since the last call; empty without any.
  std::vector<double> take_means();

 private:
  Straggler as_seen(int rank) const;
  bool has_news(const Straggler& rank);

  std::vector<std::deque<double>> recent_;  // by rank
  std::vector<bool> is_known_;              // by rank: that it is behind
  std::vector<double> sums_;
  int64_t steps_ = 0;
};

}  // namespace lockstep
