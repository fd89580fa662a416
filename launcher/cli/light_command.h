#pragma once

#include <string>
#include <vector>

#include "launcher/cli/command_list.h"

namespace lockstep {

/// A command that needs neither LibTorch nor MPI.
using LightCommand = int (*)(const std::vector<std::string>& arguments);

/// Runs it as the whole process, prints what goes wrong and returns the exit code.
int run_light(const CommandFacts& command, LightCommand run, const std::vector<std::string>& arguments);

}  // namespace lockstep
