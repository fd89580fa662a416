// On GPUs, one per rank: over NCCL, and over MPI by way of the host. With one rank, whose gradients stay where they
// are, it still compares the Trainer with the plain loop.
#include "launcher/loop/gradient_backend.h"
#include "model/compute.h"
#include "tests/launcher/rank_equality.h"

namespace lockstep {
namespace {

class GpuWay final : public Way {
 public:
  explicit GpuWay(const char* backend) : backend_(backend) {}
  std::string device() const override { return "cuda:" + std::to_string(tests::mpi().local_rank()); }
  std::unique_ptr<dist::Communicator> connect(dist::ControlPlane& control,
                                              const model::ComputeStream& stream) override {
    return make_gradient_communicator(choose_gradient_backend(backend_, device(), control.world_size()), control,
                                      stream);
  }

 private:
  const char* backend_;
};

std::unique_ptr<Way> on_gpus(const char* backend) {
  if (model::cuda_device_count() < tests::mpi().local_size()) return nullptr;
  return std::make_unique<GpuWay>(backend);
}

std::unique_ptr<Way> over_nccl() {
  return on_gpus("nccl");
}
std::unique_ptr<Way> over_mpi() {
  return on_gpus("mpi");
}

INSTANTIATE_TEST_SUITE_P(Nccl, RankEquality, testing::Values(over_nccl));
INSTANTIATE_TEST_SUITE_P(MpiByWayOfTheHost, RankEquality, testing::Values(over_mpi));

}  // namespace
}  // namespace lockstep
