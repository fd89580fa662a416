#include "dist/communication_thread.h"

#include <chrono>
#include <utility>

namespace lockstep::dist {

void CommunicationThread::submit(Task task) {
  const std::lock_guard lock(mutex_);
  if (error_) return;
  tasks_.push_back(std::move(task));
  if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  changed_.notify_all();
}

ReductionTimes CommunicationThread::wait() {
  const Clock::time_point begin = Clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return tasks_.empty(); });
  if (error_) std::rethrow_exception(error_);
  return {std::exchange(times_, {}), Clock::now() - begin};
}

bool CommunicationThread::stop(double deadline_seconds) noexcept {
  thread_.request_stop();
  std::unique_lock lock(mutex_);
  const std::chrono::duration<double> deadline(deadline_seconds);
  return !thread_.joinable() || changed_.wait_for(lock, deadline, [this] { return has_ended_; });
}

void CommunicationThread::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !tasks_.empty(); }) && !stop.stop_requested())
    run_first(lock, stop);
  has_ended_ = true;
  changed_.notify_all();
}

void CommunicationThread::run_first(std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
  const Task task = std::move(tasks_.front());
  lock.unlock();
  TimeSpan time{Clock::now(), {}};
  std::exception_ptr error;
  try {
    task(stop);
  } catch (...) {
    error = std::current_exception();
  }
  time.end = Clock::now();
  lock.lock();
  times_.push_back(time);
  tasks_.pop_front();
  if (error) {
    error_ = error;
    tasks_.clear();  // the other ranks would meet them out of turn
  }
  changed_.notify_all();
}

}  // namespace lockstep::dist
