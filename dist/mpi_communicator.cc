#include <mpi.h>

#include <stdexcept>

#include "dist/backoff.h"
#include "dist/bfloat16.h"
#include "dist/check.h"
#include "dist/chunks.h"
#include "dist/communication_thread.h"
#include "dist/communicator.h"
#include "dist/error.h"
#include "dist/mpi_environment.h"
#include "dist/private_comm.h"

namespace lockstep::dist {
namespace {

/// MPI's own sums know no bf16. The two operands' order does not matter to a bit, as MPI_Op_create is told.
void add_bfloat16s(void* in, void* in_out, int* count, MPI_Datatype*) {
  const auto* addends = static_cast<const BFloat16*>(in);
  auto* sums = static_cast<BFloat16*>(in_out);
  for (int i = 0; i < *count; ++i)
    sums[i] = bfloat16_of(float_of(sums[i]) + float_of(addends[i]));
}

/// Reductions run on a thread that waits inside MPI, since MPI moves nothing on while nobody is inside.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() { check(MPI_Op_create(add_bfloat16s, true, &bfloat16_sum_), "MPI_Op_create"); }
  ~MpiCommunicator() override { MpiCommunicator::abort(kAbortExitCode, kAbortDeadlineSeconds); }
  int rank() const override { return comm_.rank(); }
  int world_size() const override { return comm_.world_size(); }
  std::string description() const override { return "MPI (host memory)"; }
  bool takes_device_memory() const override { return false; }

  void start_all_reduce_sum(std::span<float> values) override { start(values, MPI_FLOAT, MPI_SUM); }
  void start_all_reduce_sum(std::span<BFloat16> values) override { start(values, MPI_UINT16_T, bfloat16_sum_); }

  ReductionTimes wait() override {
    require_usable();
    ReductionTimes times = thread_.wait();
    is_pending_ = false;
    return times;
  }

  void barrier() override {
    require_usable();
    if (is_pending_) throw std::logic_error("barrier while reductions are pending; wait() first");
    check(MPI_Barrier(comm_.get()), "MPI_Barrier");
  }

  void abort(int exit_code, double deadline_seconds) noexcept override {
    is_aborted_ = true;
    if (!thread_.stop(deadline_seconds)) MpiEnvironment::abort_job(exit_code, deadline_seconds);
  }

 private:
  template <typename T>
  void start(std::span<T> values, MPI_Datatype type, MPI_Op sum) {
    require_usable();
    is_pending_ = true;
    thread_.submit([this, values, type, sum](const std::stop_token& stop) {
      if (all_have_come(stop)) all_reduce(values, type, sum);
    });
  }

  /// A rank that is early sleeps here: inside MPI_Allreduce it would spin, on a core that the backward pass needs, and
  /// could not be called back. False if it was called back.
  bool all_have_come(const std::stop_token& stop) {
    constexpr double kMaxSleepMs = 0.2;
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ibarrier(comm_.get(), &request), "MPI_Ibarrier");
    for (Backoff backoff(kMaxSleepMs); !stop.stop_requested(); backoff.pause()) {
      int done = 0;
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (done) return true;
    }
    return false;
  }

  // MPI requires identical results on all ranks (MPI 3.1, 5.9.6, "All-Reduce"), and Open MPI 4.1's algorithms keep that
  // for these sums: linear and non-overlapping compute on one rank; ring, segmented ring and Rabenseifner sum each
  // element on one rank and hand copies on; recursive doubling adds the same two partial sums on both partners, and a +
  // b has the bits of b + a.
  template <typename T>
  void all_reduce(std::span<T> values, MPI_Datatype type, MPI_Op sum) {
    for (const auto chunk : chunks_of(values))
      check(MPI_Allreduce(MPI_IN_PLACE, chunk.data(), static_cast<int>(chunk.size()), type, sum, comm_.get()),
            "MPI_Allreduce");
  }

  void require_usable() const {
    if (is_aborted_) throw CommunicationError("the communicator was aborted");
  }

  PrivateComm comm_;
  MPI_Op bfloat16_sum_ = MPI_OP_NULL;  // as comm_, MPI_Finalize releases it
  bool is_pending_ = false;            // since a start until its wait(), as on all ranks
  bool is_aborted_ = false;
  CommunicationThread thread_;  // last: it uses comm_
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator() {
  return std::make_unique<MpiCommunicator>();
}

}  // namespace lockstep::dist
