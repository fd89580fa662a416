#include "dist/hang_judge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace lockstep::dist {
namespace {

constexpr double kLeastPatience = 30;
constexpr double kOpenPatience = 600;
constexpr double kSteps = 10;
constexpr double kAlmost = 0.8;

using Ranks = std::vector<int>;

/// One judgement in the making.
class Judge {
 public:
  Judge(std::span<const RankView> ranks, std::optional<double> timeout, const std::function<Label(uint64_t)>& name_of)
      : ranks_(ranks), timeout_(timeout), name_of_(name_of) {}

  bool is_heard(int rank) const { return ranks_[rank].silent_seconds <= patience_with_silence(timeout_); }
  std::optional<std::string> verdict() const {
    const Ranks hung = those([this](int rank) { return is_silent(rank) || is_stuck(rank); });
    if (!hung.empty()) return blame(those([this](int rank) { return goes_silent(rank) || is_stuck(rank); }));
    const Ranks there = those([this](int rank) { return !ranks_[rank].has_left; });
    if (!there.empty() && std::all_of(there.begin(), there.end(), [this](int rank) { return waits_too_long(rank); }))
      return nobody_to_blame(there);
    return std::nullopt;
  }

 private:
  bool is_silent(int rank) const { return !ranks_[rank].has_left && !is_heard(rank); }
  /// What takes several ranks away does so at one moment, and messages come at several.
  bool goes_silent(int rank) const {
    return !ranks_[rank].has_left && ranks_[rank].silent_seconds > kAlmost * patience_with_silence(timeout_);
  }
  bool is_beyond_patience(int rank) const {
    return !ranks_[rank].has_left && ranks_[rank].idle_seconds > patience_with(ranks_[rank].activity, timeout_);
  }
  bool is_stuck(int rank) const { return is_beyond_patience(rank) && !ranks_[rank].activity.is_waiting; }
  bool waits_too_long(int rank) const { return is_beyond_patience(rank) && ranks_[rank].activity.is_waiting; }

  template <typename Predicate>
  Ranks those(Predicate predicate) const {
    Ranks found;
    for (int rank = 0; rank < static_cast<int>(ranks_.size()); ++rank)
      if (predicate(rank)) found.push_back(rank);
    return found;
  }

  std::string blame(const Ranks& hung) const;
  std::string nobody_to_blame(const Ranks& there) const;
  std::string description_of(int rank) const;
  std::string waiting_for(const Ranks& hung) const;
  std::string grouped_by_collective(const Ranks& waiting, uint64_t first_missing) const;

  std::span<const RankView> ranks_;
  std::optional<double> timeout_;
  const std::function<Label(uint64_t)>& name_of_;
};

std::string seconds_text(double seconds) {
  return std::to_string(std::lround(seconds)) + " s";
}

/// "rank 2", "ranks 0, 2, 3".
std::string list_of(const Ranks& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (const int rank : ranks)
    text += (rank == ranks.front() ? "" : ", ") + std::to_string(rank);
  return text;
}

/// "\"barrier\" (#12)".
std::string numbered(const Label& name, uint64_t number) {
  std::string text = "collective ";
  if (!name.view().empty()) text.assign("\"").append(name.view()).append("\" ");
  return text.append("(#").append(std::to_string(number)).append(")");
}

std::string place_of(const Activity& activity) {
  std::string text = "phase \"";
  text.append(activity.phase.view()).append("\"");
  if (activity.step > 0) text += ", step " + std::to_string(activity.step);
  if (activity.reached == 0) return text + ", no collective yet";
  return text + (activity.is_waiting ? ", in " : ", last collective ") +
         numbered(activity.collective, activity.reached);
}

std::string Judge::description_of(int rank) const {
  const RankView& view = ranks_[rank];
  std::string text = list_of({rank});
  if (!view.host.empty()) text += " (host " + view.host + ")";
  text += goes_silent(rank) ? " has sent no sign of life for " + seconds_text(view.silent_seconds) +
                                  " (its process is stopped, or its host or network is gone); last known: "
                            : " has made no progress for " + seconds_text(ranks_[rank].idle_seconds) + ": ";
  return text + place_of(view.activity);
}

// Each waits in the first collective that the hung rank has not begun, if that is one of those it may be waiting in.
std::string Judge::grouped_by_collective(const Ranks& waiting, uint64_t first_missing) const {
  std::map<uint64_t, Ranks> groups;
  std::map<uint64_t, Label> names;
  for (const int rank : waiting) {
    const Activity& activity = ranks_[rank].activity;
    const uint64_t first = std::min(activity.waits_from, activity.reached);
    const uint64_t number = std::clamp(first_missing, first, activity.reached);
    groups[number].push_back(rank);
    names[number] = number == activity.reached ? activity.collective : name_of_(number);
  }
  std::string text;
  for (const auto& [number, ranks] : groups)
    text += (text.empty() ? "" : ", ") + list_of(ranks) + " in " + numbered(names[number], number);
  return text;
}

std::string Judge::waiting_for(const Ranks& hung) const {
  uint64_t reached = ranks_[hung.front()].activity.reached;
  for (const int rank : hung)
    reached = std::min(reached, ranks_[rank].activity.reached);
  const Ranks waiting = those([&](int rank) {
    return !ranks_[rank].has_left && ranks_[rank].activity.is_waiting &&
           std::find(hung.begin(), hung.end(), rank) == hung.end();
  });
  if (waiting.empty()) return "";
  return "; waiting for " + std::string(hung.size() == 1 ? "it: " : "them: ") +
         grouped_by_collective(waiting, reached + 1);
}

std::string Judge::blame(const Ranks& hung) const {
  std::string text;
  for (const int rank : hung)
    text += (text.empty() ? "" : "; ") + description_of(rank);
  return text + waiting_for(hung) + ". Ending the job.";
}

std::string Judge::nobody_to_blame(const Ranks& there) const {
  double seconds = ranks_[there.front()].idle_seconds;
  uint64_t least = ranks_[there.front()].activity.reached;
  for (const int rank : there) {
    seconds = std::min(seconds, ranks_[rank].idle_seconds);
    least = std::min(least, ranks_[rank].activity.reached);
  }
  return "all ranks wait for each other, for " + seconds_text(seconds) + ": " +
         grouped_by_collective(there, least + 1) + "; " + place_of(ranks_[there.front()].activity) +
         ". A message was lost, or the ranks do not call the same collectives. Ending the job.";
}

}  // namespace

double patience_with(const Activity& activity, std::optional<double> timeout_seconds) {
  if (timeout_seconds) return *timeout_seconds;
  const bool is_timed = activity.pace == Pace::kSteps && activity.slowest_step_seconds > 0;
  return is_timed ? std::max(kLeastPatience, kSteps * activity.slowest_step_seconds) : kOpenPatience;
}

double patience_with_silence(std::optional<double> timeout_seconds) {
  return timeout_seconds.value_or(kLeastPatience);
}

std::optional<std::string> judge_hang(int self, std::span<const RankView> ranks, std::optional<double> timeout_seconds,
                                      const std::function<Label(uint64_t)>& name_of) {
  const Judge judge(ranks, timeout_seconds, name_of);
  for (int lower = 0; lower < self; ++lower)
    if (judge.is_heard(lower)) return std::nullopt;
  return judge.verdict();
}

}  // namespace lockstep::dist
