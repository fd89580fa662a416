#pragma once

#include <functional>
#include <vector>

#include "dist/communicator.h"

namespace lockstep::dist {

/// How bytes travel between two ranks, over what MPI chose to carry them.
struct LinkSpeed {
  int from = 0;
  int to = 0;
  double bytes_per_second = 0;    // of one message, its acknowledgement waited for
  double round_trip_seconds = 0;  // of an empty one
};

/// Collective. Measures the links between neighbours in the circle of `ranks`, the same list on all ranks, one link
/// after the other and each in both directions; who has no part in it waits idle. Messages grow until one takes 0.1 s,
/// so that a link costs a second at 1 MB/s and less at more. Every rank gets all, in the order of the circle: there,
/// back, there, back. `progress` is called after each message.
std::vector<LinkSpeed> measure_links(ControlPlane& control, const std::vector<int>& ranks,
                                     const std::function<void()>& progress);

}  // namespace lockstep::dist
