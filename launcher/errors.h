#pragma once

#include <exception>
#include <stdexcept>
#include <string>

#include "launcher/exit_codes.h"

namespace lockstep {

/// The command line or the config file is wrong. Exit code 2.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Settings that are each valid but do not fit model, data or machine. Exit code 3.
class SettingsError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The loss or the gradient is NaN or infinite. Exit code 8.
class NumericError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A failure as it leaves the program.
struct Problem {
  int exit_code = kFailure;
  std::string message;
};

/// What to print and which code to exit with, for any exception of ours, LibTorch's or the standard library's.
Problem problem_of(const std::exception& error);

}  // namespace lockstep
