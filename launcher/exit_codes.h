#pragma once

namespace lockstep {

/// The process exit codes, the same on all ranks. docs/exit_codes.md explains each to users.
enum ExitCode : int {
  kDone = 0,
  kFailure = 1,       // a defect of this program, or an error without a code of its own
  kUsage = 2,         // unknown option, missing argument
  kContract = 3,      // configuration, model and data do not fit each other
  kData = 4,          // damaged or unusable input
  kCheckpoint = 5,    // no usable checkpoint where one is needed
  kPeerLost = 6,      // another rank died or communication failed
  kHang = 7,          // a rank made no progress, or was no longer heard
  kNumeric = 8,       // NaN or Inf
  kStorage = 9,       // the disk is full or read-only
  kLocked = 10,       // another run is writing into the folder
  kNotStarted = 11,   // launch could not start the ranks
  kStopped = 75,      // on request, before the end
  kInterrupted = 130  // Ctrl-C
};

}  // namespace lockstep
