#include "dist/activity.h"

namespace lockstep::dist {

void ActivityLog::phase(std::string_view name, Pace pace) {
  const std::lock_guard lock(mutex_);
  note();
  activity_.phase = name;
  activity_.pace = pace;
}

void ActivityLog::begin_step(int64_t number) {
  const std::lock_guard lock(mutex_);
  note();
  activity_.step = number;
  step_begin_ = Clock::now();
}

void ActivityLog::end_step() {
  const std::lock_guard lock(mutex_);
  note();
  step_seconds_[steps_++ % step_seconds_.size()] = std::chrono::duration<double>(Clock::now() - step_begin_).count();
  activity_.slowest_step_seconds = *std::max_element(step_seconds_.begin(), step_seconds_.end());
}

void ActivityLog::progress() {
  const std::lock_guard lock(mutex_);
  note();
}

uint64_t ActivityLog::begin_collective(std::string_view name) {
  note();
  activity_.collective = name;
  names_[++activity_.reached % names_.size()] = name;
  return activity_.reached;
}

Activity ActivityLog::now() const {
  const std::lock_guard lock(mutex_);
  return activity_;
}

Label ActivityLog::name_of(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const bool is_kept = number <= activity_.reached && number + names_.size() > activity_.reached;
  return is_kept ? names_[number % names_.size()] : Label();
}

ActivityLog::Wait::Wait(ActivityLog& log, std::string_view name) : log_(log) {
  const std::lock_guard lock(log_.mutex_);
  from_ = log_.begin_collective(name);
  enter();
}

ActivityLog::Wait::Wait(ActivityLog& log, uint64_t from) : log_(log), from_(from) {
  const std::lock_guard lock(log_.mutex_);
  log_.note();
  enter();
}

void ActivityLog::Wait::enter() {
  outer_waiting_ = std::exchange(log_.activity_.is_waiting, true);
  outer_from_ = std::exchange(log_.activity_.waits_from, from_);
}

ActivityLog::Wait::~Wait() {
  const std::lock_guard lock(log_.mutex_);
  log_.note();
  log_.activity_.is_waiting = outer_waiting_;
  log_.activity_.waits_from = outer_from_;
}

}  // namespace lockstep::dist
