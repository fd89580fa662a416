#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep::dist {

/// Collectives of the training loop, on the memory its backend moves (MPI: host memory; NCCL, later: device memory).
/// Every function is collective: all ranks call the same ones in the same order with the same sizes. Throws
/// CommunicationError.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  /// values[i] = sum over ranks of values[i]; every rank gets the same bits.
  virtual void all_reduce_sum(std::span<float> values) = 0;
  /// Rank `root`'s bytes to all.
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  virtual void barrier() = 0;
};

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
  /// Rank 0 gets every rank's text, in rank order; others get an empty vector.
  virtual std::vector<std::string> gather(const std::string& text) = 0;
  /// Waits for all ranks without taking a core: polls with sleeps of up to `sleep_ms`. Ranks that wait for rank 0's
  /// evaluation wait here, so that it has their cores.
  virtual void idle_barrier(double sleep_ms = 2) = 0;
};

/// The MPI backends, each on a communicator of its own (MPI_Comm_dup), so that their messages never meet. Collective.
/// The MpiEnvironment must outlive them.
std::unique_ptr<Communicator> make_mpi_communicator();
std::unique_ptr<ControlPlane> make_control_plane();

}  // namespace lockstep::dist
