#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dist/communicator.h"

namespace lockstep::dist {

/// A Communicator together with memory that it moves, filled and read as a program would.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Communicator& communicator() = 0;
  /// Memory that holds `values` once the work that makes them has run. Lives as long as the backend.
  virtual std::span<float> produce(const std::vector<float>& values) = 0;
  /// What work that begins now reads there.
  virtual std::vector<float> consume(std::span<const float> memory) = 0;
};

// All collective.
std::unique_ptr<Backend> make_mpi_backend();
std::unique_ptr<Backend> make_fake_nccl_backend();

using BackendMaker = std::unique_ptr<Backend> (*)();

}  // namespace lockstep::dist
