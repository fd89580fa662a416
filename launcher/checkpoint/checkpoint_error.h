#pragma once

#include <string>

#include "launcher/errors.h"

namespace lockstep {

/// A checkpoint is damaged, or there is none where one is needed. The message names the folder and what is wrong.
struct CheckpointError : ProgramError {
  explicit CheckpointError(const std::string& message) : ProgramError(kCheckpoint, message) {}
};

}  // namespace lockstep
