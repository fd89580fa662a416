#include "launcher/train/job_deadline.h"

#include <algorithm>
#include <cstdlib>

#include "launcher/job/log.h"

namespace lockstep {

namespace {

constexpr double kMarginSeconds = 30;  // for results, leaving, and the batch script

double seconds_between(JobDeadline::Clock::time_point begin, JobDeadline::Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

JobDeadline::JobDeadline(std::optional<Clock::time_point> end, double save_seconds, Clock::time_point now)
    : end_(end), save_seconds_(save_seconds), asked_(now) {}

void JobDeadline::save_began(Clock::time_point now) {
  began_ = now;
}

void JobDeadline::saves_written(int64_t count, Clock::time_point now) {
  if (count > written_ && began_) save_seconds_ = seconds_between(*began_, now);
  written_ = count;
}

bool JobDeadline::is_near(Clock::time_point now) {
  longest_gap_ = std::max(longest_gap_, seconds_between(asked_, now));
  asked_ = now;
  const bool near = end_ && seconds_between(now, *end_) <= kMarginSeconds + 2 * (save_seconds_ + longest_gap_);
  was_near_ = was_near_ || near;
  return near;
}

std::optional<JobDeadline::Clock::time_point> end_of_slurm_job() {
  const char* text = std::getenv("SLURM_JOB_END_TIME");
  const long long seconds = text != nullptr ? std::atoll(text) : 0;
  if (seconds <= 0) return std::nullopt;
  const auto left = std::chrono::seconds(seconds) - std::chrono::system_clock::now().time_since_epoch();
  if (left <= left.zero()) {
    log_warning("SLURM_JOB_END_TIME is over: it is taken for an earlier job's, and the run has no end of its own");
    return std::nullopt;
  }
  return JobDeadline::Clock::now() + std::chrono::duration_cast<JobDeadline::Clock::duration>(left);
}

}  // namespace lockstep
