#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep::dist {

using Clock = std::chrono::steady_clock;

struct TimeSpan {
  Clock::time_point begin;
  Clock::time_point end;
};

/// What reductions cost in time.
struct ReductionTimes {
  /// In the order of starting. A reduction begins when its turn comes; waiting for the other ranks is part of it.
  std::vector<TimeSpan> reductions;
  /// How long training stood still for them: on the host the time spent in wait(), on a GPU the time from the end of
  /// the work that made the last values until the end of the last reduction.
  std::chrono::duration<double> exposed{0};
};

/// The upper half of a float (bfloat16): 8 bits of exponent, 7 of fraction.
enum class BFloat16 : uint16_t {};

/// Collectives of the training loop, on the memory its backend moves (MPI: host memory; NCCL: device memory, where a
/// span is an address and a count). One thread calls. Unless said otherwise a function is collective: all ranks call
/// the same ones in the same order with the same sizes. Throws CommunicationError; after that only abort() and the
/// destructor are of use.
class Communicator {
 public:
  /// As abort(). In an orderly end, all ranks have met on the control plane since their last wait().
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  /// For a run's banner: "NCCL 2.28.9 (device memory)".
  virtual std::string description() const = 0;
  /// Whether values are where the model computes, rather than in host memory. On the CPU the two are the same.
  virtual bool takes_device_memory() const = 0;

  /// Begins values[i] = sum over ranks of values[i], in place; every rank gets the same bits. Reductions run one after
  /// another, while the caller goes on; on a GPU each runs after the work queued on the compute stream so far. Until
  /// wait() returns, `values` belong to the communicator.
  virtual void start_all_reduce_sum(std::span<float> values) = 0;
  /// Likewise. Two numbers are added in fp32 and their sum is rounded to the nearest bf16 (even on a tie), in an order
  /// that the backend chooses: up to world_size() - 1 roundings, but the same bits on all ranks.
  virtual void start_all_reduce_sum(std::span<BFloat16> values) = 0;
  /// Returns when every reduction that was started is done, for the host and for work that is queued from then on.
  /// Throws what a reduction threw. How long others may keep it waiting is for the job's Watch to say.
  virtual ReductionTimes wait() = 0;
  /// Throws std::logic_error while reductions are pending.
  virtual void barrier() = 0;

  /// Not collective. Gives up on reductions that are pending: returns when nothing touches their values any more, or
  /// else ends the process with `exit_code` at the deadline. Afterwards the other functions throw CommunicationError.
  virtual void abort(int exit_code, double deadline_seconds) noexcept = 0;
};

/// For failure paths that know no better.
inline constexpr int kAbortExitCode = 1;
inline constexpr double kAbortDeadlineSeconds = 5;

/// The host side of a job: settings, verdicts, metrics, waiting for rank 0. Always MPI, also when gradients travel by
/// NCCL. Every function is collective.
class ControlPlane {
 public:
  virtual ~ControlPlane() = default;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  virtual std::vector<int64_t> sum(std::vector<int64_t> values) = 0;
  virtual std::vector<double> sum(std::vector<double> values) = 0;
  virtual std::string broadcast(std::string text, int root) = 0;
  /// Rank `root`'s bytes to all, in place. Takes a core while it waits, for the sake of speed: meet before.
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  /// Rank 0 gets every rank's text, in rank order; others get an empty vector.
  virtual std::vector<std::string> gather(const std::string& text) = 0;
  /// Waits for all ranks without taking a core: polls with sleeps of up to `sleep_ms`. Ranks that wait for rank 0's
  /// evaluation wait here, so that it has their cores.
  virtual void idle_barrier(double sleep_ms = 2) = 0;
};

/// The MPI backends, each on a communicator of its own (MPI_Comm_dup), so that their messages never meet. Collective.
/// The MpiEnvironment must outlive them; the Communicator must be gone when it is finalized.
std::unique_ptr<Communicator> make_mpi_communicator();
std::unique_ptr<ControlPlane> make_control_plane();

/// A world of one: sums are what is there, in whatever memory. Not collective.
std::unique_ptr<Communicator> make_solo_communicator();

struct NcclOptions {
  int device = 0;                  // CUDA's number of it; becomes the calling thread's current device
  void* compute_stream = nullptr;  // the cudaStream_t that makes the gradients; null is the default stream
};

/// Collective. Gradients in device memory, by NCCL, on a stream of its own. `control` must outlive it. Throws
/// CommunicationError, always so in a build without CUDA.
std::unique_ptr<Communicator> make_nccl_communicator(ControlPlane& control, const NcclOptions& options);

}  // namespace lockstep::dist
