#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dist/activity.h"

namespace lockstep::dist {

struct WatchOptions {
  /// How long a rank may go without progress or without a sign of life, at least four beats; without a value, see
  /// dist/hang_judge.h.
  std::optional<double> timeout_seconds;
  std::string host;         // this rank's, for messages of others
  int exit_code = 1;        // of a job in which a rank has hung
  int error_exit_code = 1;  // of a job in which MPI fails the watch itself
  /// Prints the verdict, on the watch's thread, on one rank of the job. It may take 5 s; then the process ends anyway.
  std::function<void(const std::string&)> report;
};

/// Ends the job when a rank hangs. On a thread of its own, each rank tells all others a few times a second what it is
/// doing, and judges what it hears (judge_hang()). The lowest rank that is itself alive reports, and aborts the job;
/// the others leave by themselves if that does not end them within some seconds.
class Watch {
 public:
  /// Collective. `activity` must outlive it.
  Watch(ActivityLog& activity, WatchOptions options);
  /// Stops watching. Not collective: without leave(), the process is on a failure path and must end without finalizing
  /// MPI.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Collective. The orderly end, once, before MPI is finalized: returns when all ranks are here. Still watches them
  /// meanwhile.
  void leave();

 private:
  class Watcher;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace lockstep::dist
