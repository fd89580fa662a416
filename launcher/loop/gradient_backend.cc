#include "launcher/loop/gradient_backend.h"

#include "launcher/errors.h"

namespace lockstep {

GradientBackend choose_gradient_backend(const std::string& wanted, const std::string& device, int world_size) {
  const bool on_gpu = device != "cpu";
  if (wanted == "nccl" && !on_gpu)
    throw SettingsError(
        "--ddp_backend nccl moves gradients between GPUs, and this rank trains on the CPU; start it "
        "where GPUs are, or leave the option out");
  if (world_size == 1) return GradientBackend::kNone;
  return wanted == "mpi" || !on_gpu ? GradientBackend::kMpi : GradientBackend::kNccl;
}

std::unique_ptr<dist::Communicator> make_gradient_communicator(GradientBackend backend, dist::ControlPlane& control,
                                                               const model::ComputeStream& stream) {
  if (backend == GradientBackend::kNone) return dist::make_solo_communicator();
  if (backend == GradientBackend::kMpi) return dist::make_mpi_communicator();
  return dist::make_nccl_communicator(control, {.device = stream.device, .compute_stream = stream.handle});
}

}  // namespace lockstep
