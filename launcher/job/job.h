#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dist/activity.h"
#include "dist/communicator.h"
#include "dist/mpi_environment.h"
#include "dist/watch.h"
#include "launcher/job/agreed_failure.h"

namespace lockstep {

/// This process's place among the ranks, and its lines to the others.
class Job {
 public:
  /// Collective. `environment` must outlive it.
  explicit Job(dist::MpiEnvironment& environment);

  int rank() const { return environment_.rank(); }
  int world_size() const { return environment_.world_size(); }
  bool is_main() const { return rank() == 0; }
  const dist::MpiEnvironment& environment() const { return environment_; }
  dist::ControlPlane& control() { return *control_; }
  /// What gradients travel over. Throws std::logic_error before connect_gradients().
  dist::Communicator& gradients();
  /// Collective, once the device is known. The job keeps what `connect` returns until all ranks have met in leave().
  void connect_gradients(const std::function<std::unique_ptr<dist::Communicator>()>& connect);

  /// Where this rank notes what it is doing, for the case that it hangs.
  dist::ActivityLog& activity() { return activity_; }
  /// Collective. From now on a rank that hangs is named, and ends the job with kHang. `timeout_seconds`, rank 0's
  /// counts: 0 is never, below 0 by the time of the steps (dist/hang_judge.h).
  void watch(double timeout_seconds);
  /// Collective. The orderly end of all talk between ranks.
  void leave();

  /// Collective. Runs `work` on every rank; if it throws on any, all throw AgreedFailure with the lowest failing rank's
  /// error. `work` must not call collectives. For everything that may fail on one rank alone: options, files, memory.
  void together(const std::function<void()>& work);

 private:
  dist::MpiEnvironment& environment_;
  dist::ActivityLog activity_;  // the members below note in it
  std::unique_ptr<dist::ControlPlane> control_;
  std::unique_ptr<dist::Communicator> gradients_;  // NCCL's uses control_
  std::optional<dist::Watch> watch_;
};

/// Runs a command's body under MPI. Its outcome is the process's exit code: what it returns, the same on all ranks; an
/// agreed failure is printed by rank 0 and ends in an orderly finalize on all ranks; any other exception is printed by
/// its rank and aborts the job. From the start on the process takes stop requests (stop_request.h).
int run_job(const std::function<int(Job&)>& body);

}  // namespace lockstep
