#pragma once

#include <sys/types.h>

#include <mutex>

namespace lockstep {

/// Lets one thread work in time that no other thread wants (Linux's SCHED_IDLE), until somebody waits for it. Where
/// that is not to be had, it works as all do.
class SpareTime {
 public:
  /// The calling thread works so while this lives.
  class Worker {
   public:
    explicit Worker(SpareTime& time);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

   private:
    SpareTime& time_;
  };

  /// From now on the worker, present or next, counts as much as other threads; or again as little. Any thread.
  void hurry(bool on);

 private:
  void apply() const;

  std::mutex mutex_;
  pid_t worker_ = 0;  // its thread; 0: none
  bool hurries_ = false;
};

}  // namespace lockstep
