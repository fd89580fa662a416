#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lockstep {

/// A command that needs neither LibTorch nor MPI.
using LightCommand = std::function<int(const std::vector<std::string>& arguments)>;

/// Runs it as the whole process, prints what goes wrong or the help that was asked for, and returns the exit code.
int run_light(const LightCommand& run, const std::vector<std::string>& arguments);

}  // namespace lockstep
