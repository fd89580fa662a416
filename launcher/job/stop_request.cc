#include "launcher/job/stop_request.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace lockstep {

namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler must not wait for a lock");

void note_request(int) {
  requested = true;
}

}  // namespace

void take_stop_requests() {
  struct sigaction action {};
  action.sa_handler = note_request;
  action.sa_flags = SA_RESTART;
  sigset_t request;
  sigemptyset(&request);
  sigaddset(&request, SIGUSR1);
  if (sigaction(SIGUSR1, &action, nullptr) != 0 || sigprocmask(SIG_UNBLOCK, &request, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot listen for SIGUSR1");
}

bool stop_requested() {
  return requested;
}

}  // namespace lockstep
