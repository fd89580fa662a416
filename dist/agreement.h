#pragma once

#include <functional>
#include <optional>
#include <string>

#include "dist/communicator.h"

namespace lockstep::dist {

/// What one rank has to report at a point where all ranks meet.
struct Failure {
  int rank = 0;
  int exit_code = 1;
  std::string message;
};

/// Collective. Every rank tells whether it failed; all get the failure of the lowest failing rank, or nothing. A job
/// whose ranks leave through this together ends with one exit code and one message, instead of mpirun's kill.
std::optional<Failure> agree(ControlPlane& control, const std::optional<Failure>& mine);

}  // namespace lockstep::dist
