#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "dist/link_speed.h"

namespace lockstep {

/// Finds out that a job waits for its network rather than for one of its ranks. The rank that comes last to the sums of
/// gradients waits for no other: what it stands still for is the network. A function of what it observes, as Stragglers
/// is.
class SlowNetwork {
 public:
  struct Finding {
    double step_seconds = 0;
    double network_seconds = 0;  // of these
  };

  /// Of one step: its length, and for how long the rank that stood still shortest stood still for gradients. Returns
  /// something if that is a quarter of the step, and 50 ms, in the median of the last 10 steps; once, until it has been
  /// less than half of that.
  std::optional<Finding> observe(double step_seconds, double network_seconds);

 private:
  std::deque<double> steps_, network_;  // of the last steps
  bool is_known_ = false;
};

/// The first rank of each host, given the hosts of all ranks.
std::vector<int> first_ranks(const std::vector<std::string>& hosts);

/// "the slowest link is that of h2: 12.3 MB/s, 0.21 ms there and back; ..." `hosts`: of all ranks.
std::string words_on_links(const std::vector<dist::LinkSpeed>& links, const std::vector<std::string>& hosts);

}  // namespace lockstep
