#include "launcher/loop/trace_json.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

dist::Clock::time_point at(std::chrono::microseconds time) {
  return dist::Clock::time_point(time);
}

TraceEvent event(const std::string& name, std::chrono::microseconds begin, std::chrono::microseconds end) {
  return {TraceTrack::kCompute, name, {at(begin), at(end)}};
}

/// The events that are not names, of all ranks.
std::vector<json> events_of(const json& trace) {
  std::vector<json> events;
  for (const json& one : trace["traceEvents"])
    if (one["ph"] != "M") events.push_back(one);
  return events;
}

TEST(TraceJson, CountsMicrosecondsFromTheFirstEventOfAnyRank) {
  const json trace = join_traces({trace_of_rank("a", at(100us), {event("forward", 30us, 50us)}),
                                  trace_of_rank("a", at(100us), {event("forward", 20us, 21us)})});
  const auto events = events_of(trace);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0]["ts"], 10.0);
  EXPECT_EQ(events[0]["dur"], 20.0);
  EXPECT_EQ(events[0]["pid"], 0);
  EXPECT_EQ(events[1]["ts"], 0.0);
  EXPECT_EQ(events[1]["pid"], 1);
}

TEST(TraceJson, AlignsHostsByTheirMeetingAndTrustsTheClockThatOneHostsRanksShare) {
  const json trace = join_traces({trace_of_rank("a", at(1000us), {event("x", 10us, 11us)}),
                                  trace_of_rank("a", at(1007us), {event("x", 10us, 11us)}),
                                  trace_of_rank("b", at(9000us), {event("x", 8010us, 8011us)})});
  for (const json& one : events_of(trace))
    EXPECT_EQ(one["ts"], 0.0) << one;
}

TEST(TraceJson, NamesRanksAndTracks) {
  const json trace = join_traces({trace_of_rank("node7", at(0us), {})});
  const std::string text = trace.dump();
  for (const char* part : {"\"rank 0 on node7\"", "\"compute\"", "\"reductions\"", "process_name", "thread_name"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(TraceJson, ShowsBytesAndInstants) {
  const std::vector<TraceEvent> events = {{TraceTrack::kReductions, "bucket 0", {at(1us), at(2us)}, false, 4096},
                                          {TraceTrack::kCompute, "bucket 0 ready", {at(1us), at(1us)}, true}};
  const auto written = events_of(join_traces({trace_of_rank("a", at(0us), events)}));
  EXPECT_EQ(written[0]["args"]["bytes"], 4096);
  EXPECT_EQ(written[0]["tid"], 1);
  EXPECT_EQ(written[1]["ph"], "i");
}

}  // namespace
}  // namespace lockstep
