#pragma once

#include <string>
#include <vector>

#include "tests/support/process.h"

namespace lockstep::tests {

inline std::string quoted(const std::string& argument) {
  std::string text = "'";
  for (const char c : argument)
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// `lockstep ARGUMENTS`, arguments as a shell would read them.
inline Outcome lockstep(const std::string& arguments) {
  return run(quoted(environment("LOCKSTEP_BINARY")) + " " + arguments);
}

/// The same under mpirun, as the documentation tells users of a small machine to start it.
inline Outcome mpirun(int ranks, const std::string& arguments) {
  return run("OMP_NUM_THREADS=1 mpirun --allow-run-as-root --oversubscribe --bind-to none -np " +
             std::to_string(ranks) + " " + quoted(environment("LOCKSTEP_BINARY")) + " " + arguments);
}

}  // namespace lockstep::tests
