#pragma once

#include <mpi.h>

namespace lockstep::dist {

/// The world's ranks under a communicator of its own, so that messages of different owners never meet. Only for
/// dist/*.cc. Not freed: MPI_Comm_free is collective, and destructors run no collectives; MPI_Finalize releases it.
class PrivateComm {
 public:
  PrivateComm();  // collective
  MPI_Comm get() const { return comm_; }
  int rank() const { return rank_; }
  int world_size() const { return world_size_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int world_size_ = 1;
};

}  // namespace lockstep::dist
