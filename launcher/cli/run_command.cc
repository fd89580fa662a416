#include "launcher/cli/run_command.h"

#include <cstdio>
#include <exception>

#include "launcher/cli/command_line.h"
#include "launcher/cli/printable_text.h"
#include "launcher/cli/standard_streams.h"
#include "launcher/errors.h"

namespace lockstep {

int run_or_help(const Command& run, const std::vector<std::string>& arguments) {
  int exit_code = kDone;
  try {
    exit_code = run(arguments);
  } catch (const HelpRequested& help) {
    std::fputs(help.text.c_str(), stdout);
  }
  flush_output();
  return exit_code;
}

int run_light(const Command& run, const std::vector<std::string>& arguments) {
  try {
    return run_or_help(run, arguments);
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    std::fprintf(stderr, "error: %s\n", printable_lines(problem.message).c_str());
    return problem.exit_code;
  }
}

}  // namespace lockstep
