#include "dist/exit_deadline.h"

#include <unistd.h>

#include <chrono>

namespace lockstep::dist {

ExitDeadline::ExitDeadline(int exit_code, double seconds)
    : thread_([this, exit_code, seconds](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        never_notified_.wait_for(lock, stop, std::chrono::duration<double>(seconds), [] { return false; });
        if (!stop.stop_requested()) _exit(exit_code);
      }) {}

}  // namespace lockstep::dist
