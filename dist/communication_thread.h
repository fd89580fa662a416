#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "dist/communicator.h"

namespace lockstep::dist {

/// Runs tasks one after another on a thread of its own, in the order of submission. One other thread calls.
class CommunicationThread {
 public:
  /// A long wait inside a task ends when its token asks for it.
  using Task = std::function<void(const std::stop_token&)>;

  /// Waits for the running task; stop() first to know that it ends.
  ~CommunicationThread() = default;

  /// Dropped without a word after a task has thrown: wait() tells.
  void submit(Task task);
  /// Waits for all tasks submitted so far. Rethrows the first exception of one, also when called again.
  ReductionTimes wait();
  /// Drops the tasks that have not begun and asks the running one to stop. False if it still runs after
  /// `deadline_seconds`. No task can be submitted any more.
  bool stop(double deadline_seconds) noexcept;

 private:
  void run(const std::stop_token& stop);
  void run_first(std::unique_lock<std::mutex>& lock, const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Task> tasks_;  // the first one is running
  std::vector<TimeSpan> times_;
  std::exception_ptr error_;
  bool has_ended_ = false;
  std::jthread thread_;  // started with the first task; last: it uses the members above
};

}  // namespace lockstep::dist
