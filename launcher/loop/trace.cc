#include "launcher/loop/trace.h"

#include "data/atomic_file.h"
#include "launcher/job/log.h"
#include "launcher/loop/nvtx.h"

namespace lockstep {

namespace {

/// Between hosts, events are as well aligned as ranks leave the barrier together.
constexpr double kBarrierSleepMs = 0.05;

void write_file(const std::filesystem::path& file, const std::vector<std::string>& ranks) {
  data::write_file_atomically(file, join_traces(ranks).dump() + "\n");
}

}  // namespace

Trace::Trace(Job& job, std::filesystem::path file, int64_t steps)
    : job_(job), file_(std::move(file)), last_step_(steps + 1), is_written_(steps == 0) {}

void Trace::begin_step(int64_t step) {
  if (step > last_step_ && !is_written_) write();
  is_on_ = !is_written_ && step > 1;
}

void Trace::finish() {
  if (!is_written_) write();
}

void Trace::add(const std::vector<BucketRecord>& buckets) {
  if (!is_on_) return;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const BucketRecord& bucket = buckets[i];
    const std::string name = "bucket " + std::to_string(i);
    events_.push_back({TraceTrack::kCompute, name + " ready", {bucket.ready, bucket.ready}, true});
    events_.push_back({TraceTrack::kReductions, name, bucket.reduction, false,
                       bucket.elements * static_cast<int64_t>(sizeof(float))});
  }
}

void Trace::write() {
  is_on_ = false;
  is_written_ = true;
  job_.activity().phase("writing the profile", dist::Pace::kOpen);
  job_.control().idle_barrier(kBarrierSleepMs);
  const auto meeting = dist::Clock::now();
  const auto ranks = job_.control().gather(trace_of_rank(job_.environment().host(), meeting, events_));
  job_.together([&] {
    if (job_.is_main()) write_file(file_, ranks);
  });
  if (job_.is_main() && events_.empty())
    log_warning("--profile: the run had no second step; " + file_.string() + " is empty");
  if (job_.is_main() && !events_.empty())
    log_info("the profile is in " + file_.string() + "; https://ui.perfetto.dev shows it");
  events_.clear();
}

Trace::Span::Span(Trace& trace, const std::string& name) : events_(trace.is_on_ ? &trace.events_ : nullptr) {
  begin_nvtx_range(name);
  if (events_ == nullptr) return;
  index_ = events_->size();
  events_->push_back({TraceTrack::kCompute, name, {dist::Clock::now(), {}}});
}

Trace::Span::~Span() {
  if (events_ != nullptr) (*events_)[index_].time.end = dist::Clock::now();
  end_nvtx_range();
}

}  // namespace lockstep
