#include "dist/nccl_library.h"

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstring>

#include "dist/nccl_environment.h"

namespace lockstep::dist {
namespace {

using Status = NcclLibrary::Status;

Status of(cudaError_t error) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // it was seen here: others must not take it for their own
  if (error == cudaErrorNotReady) return {Status::kInProgress, {}};
  return {Status::kFailed, std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error)};
}

Status of(ncclResult_t result, ncclComm_t comm) {
  if (result == ncclSuccess) return {};
  if (result == ncclInProgress) return {Status::kInProgress, {}};
  return {Status::kFailed, std::string(ncclGetErrorString(result)) + ": " + ncclGetLastError(comm)};
}

ncclComm_t comm_of(void* comm) {
  return static_cast<ncclComm_t>(comm);
}
cudaStream_t stream_of(void* stream) {
  return static_cast<cudaStream_t>(stream);
}
cudaEvent_t event_of(void* event) {
  return static_cast<cudaEvent_t>(event);
}

class LinkedNcclLibrary final : public NcclLibrary {
 public:
  static_assert(sizeof(ncclUniqueId) == kUniqueIdBytes);

  std::string version() const override {
    int version = 0;  // 22809: major * 10000 + minor * 100 + patch
    ncclGetVersion(&version);
    return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
           std::to_string(version % 100);
  }

  Status set_device(int device) override { return of(cudaSetDevice(device)); }

  Status create_stream(void** stream) override {
    return of(cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking));
  }
  void destroy_stream(void* stream) override { cudaStreamDestroy(stream_of(stream)); }
  Status create_event(void** event) override { return of(cudaEventCreate(reinterpret_cast<cudaEvent_t*>(event))); }
  void destroy_event(void* event) override { cudaEventDestroy(event_of(event)); }
  Status record(void* event, void* stream) override { return of(cudaEventRecord(event_of(event), stream_of(stream))); }
  Status stream_wait(void* stream, void* event) override {
    return of(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
  }
  Status query(void* event) override { return of(cudaEventQuery(event_of(event))); }
  Status elapsed_ms(float* ms, void* from, void* to) override {
    return of(cudaEventElapsedTime(ms, event_of(from), event_of(to)));
  }

  Status unique_id(char* id) override {
    ncclUniqueId unique{};
    const ncclResult_t result = ncclGetUniqueId(&unique);
    std::memcpy(id, unique.internal, kUniqueIdBytes);
    return of(result, nullptr);
  }

  // Not blocking: a call that waits for a peer that left could not be given up.
  Status join(void** comm, int world_size, const char* id, int rank) override {
    ncclUniqueId unique{};
    std::memcpy(unique.internal, id, kUniqueIdBytes);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    const ncclResult_t result =
        ncclCommInitRankConfig(reinterpret_cast<ncclComm_t*>(comm), world_size, unique, rank, &config);
    return of(result, nullptr);
  }

  Status all_reduce_sum(void* values, size_t count, Number number, void* comm, void* stream) override {
    const ncclDataType_t type = number == Number::kFloat ? ncclFloat32 : ncclBfloat16;
    return of(ncclAllReduce(values, values, count, type, ncclSum, comm_of(comm), stream_of(stream)), comm_of(comm));
  }

  Status async_error(void* comm) override {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t result = ncclCommGetAsyncError(comm_of(comm), &state);
    return of(result == ncclSuccess ? state : result, comm_of(comm));
  }

  Status abort(void* comm) override { return of(ncclCommAbort(comm_of(comm)), nullptr); }
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(ControlPlane& control, const NcclOptions& options) {
  keep_sums_in_one_order();
  return make_nccl_communicator_over(std::make_shared<LinkedNcclLibrary>(), control, options);
}

}  // namespace lockstep::dist
