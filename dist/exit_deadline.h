#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace lockstep::dist {

/// Ends the process by _exit(exit_code) unless it is destroyed within `seconds`. Put around calls that may hang on a
/// failure path.
class ExitDeadline {
 public:
  ExitDeadline(int exit_code, double seconds);

 private:
  std::mutex mutex_;
  std::condition_variable_any never_notified_;
  std::jthread thread_;  // last: it uses the members above
};

}  // namespace lockstep::dist
