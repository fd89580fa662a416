#include <mpi.h>

#include <stdexcept>

#include "dist/backoff.h"
#include "dist/check.h"
#include "dist/chunks.h"
#include "dist/communication_thread.h"
#include "dist/communicator.h"
#include "dist/error.h"
#include "dist/mpi_environment.h"
#include "dist/private_comm.h"

namespace lockstep::dist {
namespace {

/// Reductions run on a thread that waits inside MPI, since MPI moves nothing on while nobody is inside.
class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(double timeout_seconds) : timeout_seconds_(timeout_seconds) {}
  ~MpiCommunicator() override { MpiCommunicator::abort(kAbortExitCode, kAbortDeadlineSeconds); }
  int rank() const override { return comm_.rank(); }
  int world_size() const override { return comm_.world_size(); }

  void start_all_reduce_sum(std::span<float> values) override {
    require_usable();
    is_pending_ = true;
    thread_.submit([this, values](const std::stop_token& stop) {
      if (all_have_come(stop)) all_reduce_sum(values);
    });
  }

  ReductionTimes wait() override {
    require_usable();
    ReductionTimes times = thread_.wait(timeout_seconds_);
    is_pending_ = false;
    return times;
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    require_idle("broadcast");
    for (const auto chunk : chunks_of(bytes))
      check(MPI_Bcast(chunk.data(), static_cast<int>(chunk.size()), MPI_BYTE, root, comm_.get()), "MPI_Bcast");
  }

  void barrier() override {
    require_idle("barrier");
    check(MPI_Barrier(comm_.get()), "MPI_Barrier");
  }

  void abort(int exit_code, double deadline_seconds) noexcept override {
    is_aborted_ = true;
    if (!thread_.stop(deadline_seconds)) MpiEnvironment::abort_job(exit_code, deadline_seconds);
  }

 private:
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
  // for floats: linear and non-overlapping compute on one rank; ring, segmented ring and Rabenseifner sum each element
  // on one rank and hand copies on; recursive doubling adds the same two partial sums on both partners, and a + b has
  // the bits of b + a.
  void all_reduce_sum(std::span<float> values) {
    for (const auto chunk : chunks_of(values))
      check(MPI_Allreduce(MPI_IN_PLACE, chunk.data(), static_cast<int>(chunk.size()), MPI_FLOAT, MPI_SUM, comm_.get()),
            "MPI_Allreduce");
  }

  void require_usable() const {
    if (is_aborted_) throw CommunicationError("the communicator was aborted");
  }

  void require_idle(const char* what) const {
    require_usable();
    if (is_pending_) throw std::logic_error(std::string(what) + " while reductions are pending; wait() first");
  }

  PrivateComm comm_;
  double timeout_seconds_;
  bool is_pending_ = false;  // since a start until its wait(), as on all ranks
  bool is_aborted_ = false;
  CommunicationThread thread_;  // last: it uses comm_
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(double timeout_seconds) {
  return std::make_unique<MpiCommunicator>(timeout_seconds);
}

}  // namespace lockstep::dist
