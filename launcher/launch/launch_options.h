#pragma once

#include <string>
#include <vector>

#include "launcher/launch/host_list.h"

namespace lockstep {

/// What `lockstep launch` is told.
struct LaunchOptions {
  int ranks = 0;            // 0: not given
  std::vector<Host> hosts;  // empty: this machine
  int threads = 0;          // per rank; 0: not given
  bool dry_run = false;
  std::vector<std::string> command;  // what follows "--": a command that takes ranks, and its arguments
};

/// Throws UsageError or HelpRequested.
LaunchOptions parse_launch_options(const std::vector<std::string>& arguments);

}  // namespace lockstep
