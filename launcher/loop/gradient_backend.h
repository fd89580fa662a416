#pragma once

#include <memory>
#include <string>

#include "dist/communicator.h"
#include "model/distilbert.h"

namespace lockstep {

/// What carries gradients from rank to rank.
enum class GradientBackend {
  kNone,  // one rank
  kMpi,   // host memory; a GPU's gradients are copied there and back
  kNccl   // device memory
};

/// `wanted` is --ddp_backend: "nccl", "mpi", or "auto", which is NCCL on GPUs and MPI on CPUs. Throws SettingsError
/// where NCCL is wanted and `device` is no GPU.
GradientBackend choose_gradient_backend(const std::string& wanted, const std::string& device, int world_size);

/// Collective. Reductions come after the work that is queued on `stream`. `control` must outlive it. Throws
/// CommunicationError.
std::unique_ptr<dist::Communicator> make_gradient_communicator(GradientBackend backend, dist::ControlPlane& control,
                                                               const model::ComputeStream& stream);

}  // namespace lockstep
