#include "dist/agreement.h"

#include <algorithm>
#include <vector>

namespace lockstep::dist {

std::optional<Failure> agree(ControlPlane& control, const std::optional<Failure>& mine) {
  // One slot per rank for its exit code, and one for whether it failed at all.
  const int world_size = control.world_size();
  std::vector<int64_t> slots(2 * world_size, 0);
  if (mine) {
    slots[control.rank()] = 1;
    slots[world_size + control.rank()] = mine->exit_code;
  }
  slots = control.sum(std::move(slots));
  const auto first = std::find(slots.begin(), slots.begin() + world_size, 1);
  if (first == slots.begin() + world_size) return std::nullopt;

  const int rank = static_cast<int>(first - slots.begin());
  std::string message = control.broadcast(mine ? mine->message : "", rank);
  return Failure{rank, static_cast<int>(slots[world_size + rank]), std::move(message)};
}

}  // namespace lockstep::dist
