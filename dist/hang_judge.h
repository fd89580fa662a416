#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "dist/activity.h"

namespace lockstep::dist {

/// What one rank knows of another, or of itself. Seconds are of a clock that stands still while the one who measures
/// cannot run, so that a suspended machine or job wakes up as it fell asleep.
struct RankView {
  Activity activity;
  std::string host;           // "" before the first message
  double idle_seconds = 0;    // since it noted progress, as it measured by its last message
  double silent_seconds = 0;  // since its last message; 0 for oneself
  bool has_left = false;      // said goodbye, at the orderly end
};

/// How long a rank may go without progress: `timeout_seconds` if it is given. Otherwise the larger of 30 s and ten
/// times its slowest recent step; 600 s in a phase of open length and before its first step is done.
double patience_with(const Activity& activity, std::optional<double> timeout_seconds);
/// How long it may be silent: `timeout_seconds`, otherwise 30 s. Messages do not depend on what a rank is doing.
double patience_with_silence(std::optional<double> timeout_seconds);

/// Rank `self`'s judgement of all ranks: who has hung, where, and who waits for it, as one message; nothing while all
/// is well, or while a lower rank is there to say it. Not to blame is who waits in a collective for a rank that has not
/// reached it. `name_of` a collective's number may be "". Pure.
std::optional<std::string> judge_hang(int self, std::span<const RankView> ranks, std::optional<double> timeout_seconds,
                                      const std::function<Label(uint64_t)>& name_of);

}  // namespace lockstep::dist
