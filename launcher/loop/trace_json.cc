#include "launcher/loop/trace_json.h"

#include <algorithm>
#include <limits>
#include <map>

namespace lockstep {

namespace {

constexpr const char* kTrackNames[] = {"compute", "reductions"};

int64_t nanoseconds(dist::Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// Times in nanoseconds of the rank's own clock.
nlohmann::json json_of(const TraceEvent& event) {
  nlohmann::json result = {{"name", event.name},
                           {"ph", event.is_instant ? "i" : "X"},
                           {"tid", static_cast<int>(event.track)},
                           {"ts", nanoseconds(event.time.begin)}};
  if (event.is_instant) {
    result["s"] = "t";  // drawn on its own track only
  } else {
    result["dur"] = nanoseconds(event.time.end) - nanoseconds(event.time.begin);
  }
  if (event.bytes > 0) result["args"] = {{"bytes", event.bytes}};
  return result;
}

nlohmann::json name_event(const char* kind, int pid, int tid, const std::string& name) {
  return {{"ph", "M"}, {"name", kind}, {"pid", pid}, {"tid", tid}, {"args", {{"name", name}}}};
}

/// The moment of the meeting on each rank's clock: its host's first rank's, since these clocks are one.
std::vector<int64_t> meetings_of(const std::vector<nlohmann::json>& ranks) {
  std::map<std::string, int64_t> by_host;
  std::vector<int64_t> meetings;
  for (const nlohmann::json& rank : ranks)
    meetings.push_back(by_host.emplace(rank["host"].get<std::string>(), rank["meeting"].get<int64_t>()).first->second);
  return meetings;
}

int64_t first_time(const std::vector<nlohmann::json>& ranks, const std::vector<int64_t>& meetings) {
  int64_t first = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < ranks.size(); ++i)
    for (const nlohmann::json& event : ranks[i]["events"])
      first = std::min(first, event["ts"].get<int64_t>() - meetings[i]);
  return first;
}

}  // namespace

std::string trace_of_rank(const std::string& host, dist::Clock::time_point meeting,
                          const std::vector<TraceEvent>& events) {
  nlohmann::json result = {{"host", host}, {"meeting", nanoseconds(meeting)}, {"events", nlohmann::json::array()}};
  for (const TraceEvent& event : events)
    result["events"].push_back(json_of(event));
  return result.dump();
}

nlohmann::json join_traces(const std::vector<std::string>& texts) {
  std::vector<nlohmann::json> ranks;
  for (const std::string& text : texts)
    ranks.push_back(nlohmann::json::parse(text));
  const std::vector<int64_t> meetings = meetings_of(ranks);
  const int64_t first = first_time(ranks, meetings);
  nlohmann::json events = nlohmann::json::array();
  for (size_t i = 0; i < ranks.size(); ++i) {
    const int pid = static_cast<int>(i);
    events.push_back(
        name_event("process_name", pid, 0, "rank " + std::to_string(i) + " on " + ranks[i]["host"].get<std::string>()));
    for (const TraceTrack track : {TraceTrack::kCompute, TraceTrack::kReductions})
      events.push_back(name_event("thread_name", pid, static_cast<int>(track), kTrackNames[static_cast<int>(track)]));
    for (nlohmann::json event : ranks[i]["events"]) {
      event["pid"] = pid;
      event["ts"] = static_cast<double>(event["ts"].get<int64_t>() - meetings[i] - first) / 1000;
      if (event.contains("dur")) event["dur"] = static_cast<double>(event["dur"].get<int64_t>()) / 1000;
      events.push_back(std::move(event));
    }
  }
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

}  // namespace lockstep
