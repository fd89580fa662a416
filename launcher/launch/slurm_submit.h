#pragma once

#include <string>
#include <vector>

#include "launcher/launch/launch_options.h"

namespace lockstep {

/// slurm/train.sbatch that belongs to the program at `program`. Throws NotStartedError.
std::string find_batch_script(const std::string& program);

/// sbatch's command line for options with --slurm. Throws UsageError.
std::vector<std::string> sbatch_line(const LaunchOptions& options, const std::string& script);

/// Submits the job, or with --dry_run prints how. Returns kDone; throws UsageError, NotStartedError.
int launch_slurm_job(const LaunchOptions& options);

}  // namespace lockstep
