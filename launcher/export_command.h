#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// `lockstep export RUN`: the state that a checkpoint holds, as files that other programs read. Needs HDF5, but neither
/// LibTorch nor MPI. Throws ProgramError, HelpRequested.
int export_command(const std::vector<std::string>& arguments);

}  // namespace lockstep
