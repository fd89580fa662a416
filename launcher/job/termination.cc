#include "launcher/job/termination.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>

namespace lockstep {

namespace {

std::mutex unfinished_work;  // locked while uninterrupted work goes on, and for good once this process is to end
std::atomic<int> to_watcher{-1};
std::atomic<int> requests{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not wait for a lock");

/// As SIGTERM does without a handler.
void end_now() {
  std::signal(SIGTERM, SIG_DFL);
  std::raise(SIGTERM);
}

void note_termination(int) {
  const int error = errno;
  if (++requests > 1) end_now();
  // One byte always fits into an empty pipe.
  [[maybe_unused]] const ssize_t written = write(to_watcher, "", 1);
  errno = error;
}

/// A handler may not wait for the work's end; a thread may.
void watch(int requests_to_end) {
  char byte = 0;
  while (read(requests_to_end, &byte, 1) < 0 && errno == EINTR) {
  }
  unfinished_work.lock();
  end_now();
}

}  // namespace

void take_termination() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  to_watcher = ends[1];
  std::thread(watch, ends[0]).detach();
  struct sigaction action {};
  action.sa_handler = note_termination;
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGTERM, &action, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot listen for SIGTERM");
}

UninterruptedWork::UninterruptedWork() {
  unfinished_work.lock();
  if (requests == 0) return;
  unfinished_work.unlock();
  for (;;)
    pause();  // the watcher ends this process
}

UninterruptedWork::~UninterruptedWork() {
  unfinished_work.unlock();
}

}  // namespace lockstep
