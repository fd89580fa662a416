#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// `lockstep plan`: what training costs on a number of GPUs, by cost_model.h. Needs HDF5 (to count a data set's words),
/// but neither LibTorch nor MPI. Throws ProgramError, DataError, ModelFileError, HelpRequested.
int plan_command(const std::vector<std::string>& arguments);

}  // namespace lockstep
