#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lockstep {

/// Takes the arguments after its name, and returns the process's exit code.
using Command = std::function<int(const std::vector<std::string>& arguments)>;

/// Runs it, or prints the help that was asked for, and sees to it that what was printed has arrived.
int run_or_help(const Command& run, const std::vector<std::string>& arguments);

/// Runs a command that needs neither LibTorch nor MPI, nor the log, as the whole process, prints what goes wrong or the
/// help that was asked for, and returns the exit code.
int run_light(const Command& run, const std::vector<std::string>& arguments);

}  // namespace lockstep
