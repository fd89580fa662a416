#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// `lockstep list RUN` and `lockstep verify RUN`: checkpoints without loading them. Neither needs LibTorch or MPI.
/// Throw ProgramError, HelpRequested.
int list_command(const std::vector<std::string>& arguments);
int verify_command(const std::vector<std::string>& arguments);

}  // namespace lockstep
