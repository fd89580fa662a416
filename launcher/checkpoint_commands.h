#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// `lockstep list RUN` and `lockstep verify RUN|DATA`: checkpoints and data sets without loading them. Neither needs
/// LibTorch, MPI or HDF5. Throw ProgramError, HelpRequested.
int list_command(const std::vector<std::string>& arguments);
int verify_command(const std::vector<std::string>& arguments);

}  // namespace lockstep
