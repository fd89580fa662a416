#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "launcher/job/job.h"
#include "launcher/loop/gradient_sync.h"
#include "launcher/loop/trace_json.h"

namespace lockstep {

/// Records on every rank what a few steps did when, and writes one file for all ranks. Costs nothing outside these
/// steps. One thread calls. On GPUs, NVIDIA's profilers see the spans of all steps.
class Trace {
 public:
  /// Collective. Records steps 2 to `steps` + 1: the first one warms up. `job` must outlive it.
  Trace(Job& job, std::filesystem::path file, int64_t steps);

  /// Collective, before every step. Writes the file once the last of the steps, and what followed it, is over.
  void begin_step(int64_t step);
  /// Collective, at the end of the run. Writes the file if that is still to be done.
  void finish();

  /// An event of the compute track that lasts as long as the object, which must go before the trace's next
  /// begin_step() or finish().
  class Span {
   public:
    Span(Trace& trace, const std::string& name);
    ~Span();
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    std::vector<TraceEvent>* events_;  // null: off
    size_t index_ = 0;
  };
  /// When each bucket of the step became ready, and its reduction.
  void add(const std::vector<BucketRecord>& buckets);

 private:
  void write();

  Job& job_;
  std::filesystem::path file_;
  int64_t last_step_;
  bool is_on_ = false;
  bool is_written_ = false;
  std::vector<TraceEvent> events_;
};

}  // namespace lockstep
