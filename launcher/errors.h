#pragma once

#include <exception>
#include <stdexcept>
#include <string>

#include "launcher/exit_codes.h"

namespace lockstep {

/// An error of the launcher's own, with the exit code that it leads to.
class ProgramError : public std::runtime_error {
 public:
  ProgramError(ExitCode exit_code, const std::string& message) : std::runtime_error(message), exit_code_(exit_code) {}
  ExitCode exit_code() const { return exit_code_; }

 private:
  ExitCode exit_code_;
};

/// The command line or the config file is wrong.
struct UsageError : ProgramError {
  explicit UsageError(const std::string& message) : ProgramError(kUsage, message) {}
};

/// Settings that are each valid but do not fit model, data or machine.
struct SettingsError : ProgramError {
  explicit SettingsError(const std::string& message) : ProgramError(kContract, message) {}
};

/// The loss or the gradient is NaN or infinite.
struct NumericError : ProgramError {
  explicit NumericError(const std::string& message) : ProgramError(kNumeric, message) {}
};

/// Another run is writing where this one wants to.
struct LockedError : ProgramError {
  explicit LockedError(const std::string& message) : ProgramError(kLocked, message) {}
};

/// The ranks of a job could not be started.
struct NotStartedError : ProgramError {
  explicit NotStartedError(const std::string& message) : ProgramError(kNotStarted, message) {}
};

/// A failure as it leaves the program.
struct Problem {
  int exit_code = kFailure;
  std::string message;
};

/// What to print and which code to exit with, for any exception of ours, LibTorch's or the standard library's.
Problem problem_of(const std::exception& error);

/// Likewise in a training, which knows what else to try when memory runs out.
Problem problem_in_training(const std::exception& error);

}  // namespace lockstep
