#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace lockstep {

/// When a batch job that knows its end has to stop, so that a checkpoint is written before. One per process that asks;
/// not thread-safe.
class JobDeadline {
 public:
  using Clock = std::chrono::steady_clock;  // a clock that is set changes nothing

  /// `end`: none is never. `save_seconds`: how long a save is expected to take as long as none has been seen.
  JobDeadline(std::optional<Clock::time_point> end, double save_seconds, Clock::time_point now);

  /// A checkpoint is begun, and: so many have been written since the start of the run. Of what is written beside the
  /// training, the time is that until it is noticed.
  void save_began(Clock::time_point now);
  void saves_written(int64_t count, Clock::time_point now);

  /// Whether to stop now: what is left is half a minute, two saves, and twice the longest time between two of these
  /// questions, or less.
  bool is_near(Clock::time_point now);
  /// Whether it has ever said so.
  bool was_near() const { return was_near_; }

 private:
  std::optional<Clock::time_point> end_;
  double save_seconds_;
  double longest_gap_ = 0;
  Clock::time_point asked_;
  std::optional<Clock::time_point> began_;
  int64_t written_ = 0;
  bool was_near_ = false;
};

/// SLURM_JOB_END_TIME, in seconds since 1970; none outside Slurm, if it is no number, or if it is over: then it is an
/// earlier job's, and a warning says so.
std::optional<JobDeadline::Clock::time_point> end_of_slurm_job();

}  // namespace lockstep
