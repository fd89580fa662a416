#pragma once

#include <memory>
#include <string>

namespace lockstep::dist {

/// Owner of MPI in this process: initialized in the constructor, errors returned rather than fatal (MPI_ERRORS_RETURN).
/// One object per process. A program started without mpirun is a world of one rank.
/// Thread level: MPI_THREAD_MULTIPLE. Only the constructing thread calls anything in dist/, but the MPI communicator
/// reduces on a thread of its own while that one talks over the control plane.
class MpiEnvironment {
 public:
  /// Throws CommunicationError, also where srun started several tasks that MPI sees as worlds of one rank each.
  MpiEnvironment();
  /// Never runs a collective: without finalize() the process is on a failure path, which ends in abort_job().
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }
  int local_rank() const { return local_rank_; }  // among the ranks that share this host's memory
  int local_size() const { return local_size_; }
  const std::string& host() const { return host_; }

  /// Collective. The successful end, once: no MPI call may follow.
  void finalize();
  /// Ends the whole job at once with `exit_code`; does not return, and leaves within `deadline_seconds` even if MPI
  /// hangs.
  [[noreturn]] static void abort_job(int exit_code, double deadline_seconds = 5);
  /// For a rank that is about to end the job: leaves a process behind that ends Open MPI's daemon, if one has started
  /// this rank and is still there after `seconds`. On a host that is cut off, the daemon would wait for mpirun's word
  /// until TCP gives up, for a quarter of an hour.
  static void end_daemon_after(int seconds) noexcept;
  static std::string library_version();  // "Open MPI v4.1.4"

 private:
  int rank_ = 0;
  int world_size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  std::string host_;
  bool finalized_ = false;
};

}  // namespace lockstep::dist
