#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// `lockstep launch ARGUMENTS`: starts mpirun, stays until the job has ended, returns its exit code. Loads neither
/// LibTorch nor MPI. Throws ProgramError, HelpRequested.
int launch_command(const std::vector<std::string>& arguments);

}  // namespace lockstep
