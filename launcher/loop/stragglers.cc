#include "launcher/loop/stragglers.h"

#include "launcher/loop/waits.h"

namespace lockstep {

std::optional<Stragglers::Straggler> Stragglers::observe(std::span<const double> seconds) {
  recent_.resize(seconds.size());
  is_known_.resize(seconds.size());
  sums_.resize(seconds.size());
  ++steps_;
  for (size_t rank = 0; rank < seconds.size(); ++rank) {
    sums_[rank] += seconds[rank];
    recent_[rank].push_back(seconds[rank]);
    if (recent_[rank].size() > kWaitWindow) recent_[rank].pop_front();
  }
  if (seconds.size() < 2 || recent_[0].size() < kWaitWindow) return std::nullopt;
  std::optional<Straggler> news;
  for (int rank = 0; rank < static_cast<int>(seconds.size()); ++rank)
    if (const Straggler seen = as_seen(rank); has_news(seen)) news = seen;
  return news;
}

Stragglers::Straggler Stragglers::as_seen(int rank) const {
  std::vector<double> others;
  for (size_t other = 0; other < recent_.size(); ++other)
    if (other != static_cast<size_t>(rank)) others.push_back(median_of({recent_[other].begin(), recent_[other].end()}));
  const std::deque<double>& own = recent_[static_cast<size_t>(rank)];
  return {rank, median_of({own.begin(), own.end()}), median_of(others)};
}

bool Stragglers::has_news(const Straggler& seen) {
  const double behind = seen.seconds - seen.others_seconds;
  const double allowed = std::max(kWaitSeconds, kWaitShare * seen.others_seconds);
  const auto rank = static_cast<size_t>(seen.rank);
  if (behind < allowed / 2) is_known_[rank] = false;
  if (behind < allowed || is_known_[rank]) return false;
  is_known_[rank] = true;
  return true;
}

std::vector<double> Stragglers::take_means() {
  std::vector<double> means;
  if (steps_ > 0)
    for (const double sum : sums_)
      means.push_back(sum / static_cast<double>(steps_));
  sums_.assign(sums_.size(), 0);
  steps_ = 0;
  return means;
}

}  // namespace lockstep
