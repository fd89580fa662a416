// The contract over NCCL itself, one GPU per rank of this host. Runs under mpirun at as many ranks as there are GPUs.
#include <cuda_runtime_api.h>

#include <list>

#include "tests/dist/communicator_contract.h"
#include "tests/support/mpi_main.h"

namespace lockstep::dist {
namespace {

void require(cudaError_t error, const char* call) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(error));
}

class NcclBackend final : public Backend {
 public:
  NcclBackend() {
    require(cudaSetDevice(device_), "cudaSetDevice");
    require(cudaStreamCreateWithFlags(&compute_stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    communicator_ = make_nccl_communicator(*control_, {.device = device_, .compute_stream = compute_stream_});
  }
  ~NcclBackend() override {
    control_->idle_barrier();
    communicator_.reset();
    for (const auto& memory : memory_)
      cudaFree(memory.data());
    cudaStreamDestroy(compute_stream_);
  }

  Communicator& communicator() override { return *communicator_; }

  std::span<float> produce(const std::vector<float>& values) override {
    float* address = nullptr;
    require(cudaMalloc(reinterpret_cast<void**>(&address), std::max<size_t>(4, 4 * values.size())), "cudaMalloc");
    const auto memory = memory_.emplace_back(address, values.size());
    require(cudaMemcpyAsync(address, values.data(), memory.size_bytes(), cudaMemcpyHostToDevice, compute_stream_),
            "cudaMemcpyAsync");
    return memory;
  }

  std::vector<float> consume(std::span<const float> memory) override {
    std::vector<float> values(memory.size());
    require(cudaMemcpyAsync(values.data(), memory.data(), memory.size_bytes(), cudaMemcpyDeviceToHost, compute_stream_),
            "cudaMemcpyAsync");
    require(cudaStreamSynchronize(compute_stream_), "cudaStreamSynchronize");
    return values;
  }

 private:
  const int device_ = tests::mpi().local_rank();
  std::list<std::span<float>> memory_;
  std::unique_ptr<ControlPlane> control_ = make_control_plane();
  cudaStream_t compute_stream_ = nullptr;
  std::unique_ptr<Communicator> communicator_;
};

std::unique_ptr<Backend> make_nccl_backend() {
  return std::make_unique<NcclBackend>();
}

const auto kNccl = testing::Values(make_nccl_backend);
INSTANTIATE_TEST_SUITE_P(Nccl, AllReduce, kNccl);
INSTANTIATE_TEST_SUITE_P(Nccl, AllReduceBFloat16, kNccl);
INSTANTIATE_TEST_SUITE_P(Nccl, Discipline, kNccl);
INSTANTIATE_TEST_SUITE_P(Nccl, ReducerOverRanks, testing::Combine(kNccl, kShapes));

}  // namespace
}  // namespace lockstep::dist
