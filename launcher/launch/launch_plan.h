#pragma once

#include <string>
#include <vector>

#include "launcher/launch/launch_options.h"
#include "launcher/launch/machine_facts.h"

namespace lockstep {

/// How a job is started.
struct LaunchPlan {
  int ranks = 1;
  std::vector<std::string> argv;   // mpirun's
  Environment settings;            // added to the environment
  std::vector<std::string> notes;  // what was decided, a line each
};

/// A function of its arguments alone. Throws UsageError or SettingsError.
LaunchPlan make_launch_plan(const LaunchOptions& options, const MachineFacts& facts);

/// `words` as a shell reads them.
std::string quoted_line(const std::vector<std::string>& words);

/// The plan as a line for a shell.
std::string shell_line(const LaunchPlan& plan);

}  // namespace lockstep
