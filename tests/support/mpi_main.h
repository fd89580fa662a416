#pragma once

#include "dist/mpi_environment.h"

namespace lockstep::tests {

/// This test program's MPI, owned by mpi_main.cc's main().
dist::MpiEnvironment& mpi();

}  // namespace lockstep::tests
