#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// The program's commands. Each takes the arguments after its name and returns the process's exit code; errors leave as
/// exceptions, except in `train`, whose ranks settle theirs together.
int prepare_command(const std::vector<std::string>& arguments);
int train_command(const std::vector<std::string>& arguments);
int evaluate_command(const std::vector<std::string>& arguments);
int predict_command(const std::vector<std::string>& arguments);

/// `lockstep ARGUMENTS`: finds the command, runs it, prints what went wrong, returns the exit code.
int run_command(const std::vector<std::string>& arguments);

/// What `lockstep --version` prints.
std::string version_text();

}  // namespace lockstep
