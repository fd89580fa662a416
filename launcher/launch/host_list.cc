#include "launcher/launch/host_list.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <numeric>
#include <sstream>

#include "launcher/errors.h"

namespace lockstep {

namespace {

constexpr int kMostSlots = 4096;

[[noreturn]] void refuse(const std::string& part, const std::string& why) {
  throw UsageError("--hosts: \"" + part + "\" " + why + "; expected NAME:RANKS,NAME:RANKS..., such as a:4,b:4");
}

bool is_host_name(const std::string& name) {
  return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  });
}

Host parse_host(const std::string& part) {
  const size_t colon = part.find(':');
  Host host{part.substr(0, colon), 1};
  if (!is_host_name(host.name)) refuse(part, "has no host's name");
  if (colon == std::string::npos) return host;
  const char* const end = part.data() + part.size();
  const auto [stopped, error] = std::from_chars(part.data() + colon + 1, end, host.slots);
  if (error != std::errc() || stopped != end || host.slots < 1 || host.slots > kMostSlots)
    refuse(part, "has no number of ranks from 1 to " + std::to_string(kMostSlots) + " after the colon");
  return host;
}

}  // namespace

std::vector<Host> parse_hosts(const std::string& text) {
  std::vector<Host> hosts;
  std::istringstream parts(text + ",");  // so that a comma at the end leaves an empty part to be refused
  for (std::string part; std::getline(parts, part, ',');) {
    const Host host = parse_host(part);
    if (std::any_of(hosts.begin(), hosts.end(), [&](const Host& other) { return other.name == host.name; }))
      refuse(part, "names a host a second time");
    hosts.push_back(host);
  }
  return hosts;
}

int total_slots(const std::vector<Host>& hosts) {
  return std::accumulate(hosts.begin(), hosts.end(), 0, [](int sum, const Host& host) { return sum + host.slots; });
}

std::string host_argument(const std::vector<Host>& hosts) {
  std::string text;
  for (const Host& host : hosts)
    text += (text.empty() ? "" : ",") + host.name + ":" + std::to_string(host.slots);
  return text;
}

}  // namespace lockstep
