#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/launch/host_list.h"

namespace lockstep {

/// The job that --slurm submits.
struct SlurmJob {
  int nodes = 1;
  int gpus = 0;      // of each node; 0: a job on CPUs
  std::string time;  // as sbatch takes it; "": as the script or the site says
};

/// What `lockstep launch` is told.
struct LaunchOptions {
  int ranks = 0;            // 0: not given
  std::vector<Host> hosts;  // empty: this machine
  int threads = 0;          // per rank; 0: not given
  std::optional<SlurmJob> slurm;
  bool dry_run = false;
  std::vector<std::string> command;  // what follows "--": a command that takes ranks, and its arguments
};

/// Throws UsageError or HelpRequested.
LaunchOptions parse_launch_options(const std::vector<std::string>& arguments);

}  // namespace lockstep
