#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// The commands that need LibTorch, MPI or the log. Each takes the arguments after its name and returns the process's
/// exit code; errors leave as exceptions, except in `train`, whose ranks settle theirs together.
int prepare_command(const std::vector<std::string>& arguments);
int train_command(const std::vector<std::string>& arguments);
int evaluate_command(const std::vector<std::string>& arguments);
int predict_command(const std::vector<std::string>& arguments);

/// `lockstep-core ARGUMENTS`: runs the command, prints what went wrong, returns the exit code.
int run_command(const std::vector<std::string>& arguments);

}  // namespace lockstep
