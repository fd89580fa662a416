#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "dist/communicator.h"

namespace lockstep::dist {

/// The calls into NCCL and the CUDA runtime that the communicator makes, so that it can be proved without a GPU.
/// Handles are the libraries' own (ncclComm_t, cudaStream_t, cudaEvent_t), addresses are of device memory. Only for
/// dist/*.cc and its tests.
class NcclLibrary {
 public:
  struct Status {
    enum Kind { kDone, kInProgress, kFailed } kind = kDone;
    std::string message;  // the library's own words for a failure
  };
  static constexpr size_t kUniqueIdBytes = 128;
  enum class Number { kFloat, kBFloat16 };

  virtual ~NcclLibrary() = default;

  virtual std::string version() const = 0;  // "2.28.9"

  virtual Status set_device(int device) = 0;
  virtual Status create_stream(void** stream) = 0;  // without the default stream's implicit order
  virtual void destroy_stream(void* stream) = 0;
  virtual Status create_event(void** event) = 0;
  virtual void destroy_event(void* event) = 0;
  virtual Status record(void* event, void* stream) = 0;
  /// What is queued on `stream` from now on waits for `event`.
  virtual Status stream_wait(void* stream, void* event) = 0;
  virtual Status query(void* event) = 0;  // in progress until it is reached
  virtual Status elapsed_ms(float* ms, void* from, void* to) = 0;

  virtual Status unique_id(char* id) = 0;  // kUniqueIdBytes
  /// The three below return at once, most often "in progress": async_error() then tells of their end.
  virtual Status join(void** comm, int world_size, const char* id, int rank) = 0;
  virtual Status all_reduce_sum(void* values, size_t count, Number type, void* comm, void* stream) = 0;
  virtual Status async_error(void* comm) = 0;
  virtual Status abort(void* comm) = 0;  // may hang; `comm` is gone
};

/// How long an orderly end may take: it frees memory of all GPUs of a host at once.
inline constexpr double kOrderlyEndSeconds = 30;

/// make_nccl_communicator() over another library. `end_seconds`: then an end in which nothing is pending and nothing
/// failed is left to the process's own, so that the run keeps its exit code.
std::unique_ptr<Communicator> make_nccl_communicator_over(std::shared_ptr<NcclLibrary> library, ControlPlane& control,
                                                          const NcclOptions& options,
                                                          double end_seconds = kOrderlyEndSeconds);

}  // namespace lockstep::dist
