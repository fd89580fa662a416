#include <mpi.h>

#include "dist/check.h"
#include "dist/chunks.h"
#include "dist/communicator.h"
#include "dist/private_comm.h"

namespace lockstep::dist {
namespace {

class MpiCommunicator final : public Communicator {
 public:
  int rank() const override { return comm_.rank(); }
  int world_size() const override { return comm_.world_size(); }

  // MPI requires identical results on all ranks (MPI 3.1, 5.9.6, "All-Reduce"), and Open MPI 4.1's algorithms keep that
  // for floats: linear and non-overlapping compute on one rank; ring, segmented ring and Rabenseifner sum each element
  // on one rank and hand copies on; recursive doubling adds the same two partial sums on both partners, and a + b has
  // the bits of b + a.
  void all_reduce_sum(std::span<float> values) override {
    for (const auto chunk : chunks_of(values))
      check(MPI_Allreduce(MPI_IN_PLACE, chunk.data(), static_cast<int>(chunk.size()), MPI_FLOAT, MPI_SUM, comm_.get()),
            "MPI_Allreduce");
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    for (const auto chunk : chunks_of(bytes))
      check(MPI_Bcast(chunk.data(), static_cast<int>(chunk.size()), MPI_BYTE, root, comm_.get()), "MPI_Bcast");
  }

  void barrier() override { check(MPI_Barrier(comm_.get()), "MPI_Barrier"); }

 private:
  PrivateComm comm_;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator() {
  return std::make_unique<MpiCommunicator>();
}

}  // namespace lockstep::dist
