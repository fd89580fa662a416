#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dist/communicator.h"

namespace lockstep {

/// The lines that each rank's events are drawn on.
enum class TraceTrack { kCompute, kReductions };

struct TraceEvent {
  TraceTrack track = TraceTrack::kCompute;
  std::string name;
  dist::TimeSpan time;  // of an instant: twice the same
  bool is_instant = false;
  int64_t bytes = 0;  // that were sent; 0: not of that kind
};

/// One rank's events for join_traces(). `meeting`: when it left a barrier of all ranks.
std::string trace_of_rank(const std::string& host, dist::Clock::time_point meeting,
                          const std::vector<TraceEvent>& events);

/// Chrome's Trace Event Format, which ui.perfetto.dev and chrome://tracing open: a process per rank, a thread per
/// track, times in microseconds from the first event. `ranks`: each rank's trace_of_rank(), in rank order. Ranks of one
/// host share a clock; those of different hosts are aligned by their meeting.
nlohmann::json join_traces(const std::vector<std::string>& ranks);

}  // namespace lockstep
