#include "dist/private_comm.h"

#include "dist/check.h"

namespace lockstep::dist {

PrivateComm::PrivateComm() {
  check(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "MPI_Comm_dup");
  check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(comm_, &world_size_), "MPI_Comm_size");
}

}  // namespace lockstep::dist
