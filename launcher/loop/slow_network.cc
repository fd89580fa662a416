#include "launcher/loop/slow_network.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "launcher/format.h"
#include "launcher/loop/waits.h"

namespace lockstep {

namespace {

constexpr double kStandsOut = 0.5;  // of the others' speed

void keep(std::deque<double>& recent, double value) {
  recent.push_back(value);
  if (recent.size() > kWaitWindow) recent.pop_front();
}

/// The better of the ways that lead to a host, each as good as its worse direction: the way to a slow neighbour says
/// nothing about a host that has a fast one too.
struct HostLink {
  double bytes_per_second = 0;
  double round_trip_seconds = std::numeric_limits<double>::infinity();
};

std::map<std::string, HostLink> links_of_hosts(const std::vector<dist::LinkSpeed>& links,
                                               const std::vector<std::string>& hosts) {
  std::map<std::string, HostLink> found;
  for (size_t i = 0; i + 1 < links.size(); i += 2) {
    const double speed = std::min(links[i].bytes_per_second, links[i + 1].bytes_per_second);
    for (const int rank : {links[i].from, links[i].to}) {
      HostLink& link = found[hosts.at(static_cast<size_t>(rank))];
      link.bytes_per_second = std::max(link.bytes_per_second, speed);
      link.round_trip_seconds = std::min(link.round_trip_seconds, links[i].round_trip_seconds);
    }
  }
  return found;
}

std::string megabytes(double bytes_per_second) {
  return formatted(bytes_per_second < 1e8 ? "%.1f MB/s" : "%.0f MB/s", bytes_per_second / 1e6);
}

std::string words_on(const HostLink& link) {
  return megabytes(link.bytes_per_second) + formatted(", %.2f ms there and back", 1000 * link.round_trip_seconds);
}

}  // namespace

std::optional<SlowNetwork::Finding> SlowNetwork::observe(double step_seconds, double network_seconds) {
  keep(steps_, step_seconds);
  keep(network_, network_seconds);
  if (steps_.size() < kWaitWindow) return std::nullopt;
  const Finding seen{median_of({steps_.begin(), steps_.end()}), median_of({network_.begin(), network_.end()})};
  const double allowed = std::max(kWaitSeconds, kWaitShare * seen.step_seconds);
  if (seen.network_seconds < allowed / 2) is_known_ = false;
  if (seen.network_seconds < allowed || is_known_) return std::nullopt;
  is_known_ = true;
  return seen;
}

std::vector<int> first_ranks(const std::vector<std::string>& hosts) {
  std::vector<int> ranks;
  std::set<std::string> seen;
  for (size_t rank = 0; rank < hosts.size(); ++rank)
    if (seen.insert(hosts[rank]).second) ranks.push_back(static_cast<int>(rank));
  return ranks;
}

std::string words_on_links(const std::vector<dist::LinkSpeed>& links, const std::vector<std::string>& hosts) {
  const auto found = links_of_hosts(links, hosts);
  if (found.size() == 2)
    return "the link between " + found.begin()->first + " and " + found.rbegin()->first + " carries " +
           words_on(found.begin()->second);
  const auto by_speed = [](const auto& a, const auto& b) {
    return a.second.bytes_per_second < b.second.bytes_per_second;
  };
  const auto slowest = std::min_element(found.begin(), found.end(), by_speed);
  double others = std::numeric_limits<double>::infinity();
  for (const auto& [host, link] : found)
    if (host != slowest->first) others = std::min(others, link.bytes_per_second);
  if (slowest->second.bytes_per_second > kStandsOut * others)
    return "no host stands out: each has a link of at least " + words_on(slowest->second);
  return "the slowest link is that of " + slowest->first + ": " + words_on(slowest->second) +
         "; the other hosts have at least " + megabytes(others);
}

}  // namespace lockstep
