#include "launcher/cli/light_command.h"

#include <cstdio>
#include <exception>

#include "launcher/cli/command_line.h"
#include "launcher/cli/printable_text.h"
#include "launcher/cli/standard_streams.h"
#include "launcher/errors.h"

namespace lockstep {

namespace {

int run_or_help(const LightCommand& run, const std::vector<std::string>& arguments) {
  try {
    return run(arguments);
  } catch (const HelpRequested& help) {
    std::fputs(help.text.c_str(), stdout);
    return kDone;
  }
}

}  // namespace

int run_light(const LightCommand& run, const std::vector<std::string>& arguments) {
  try {
    const int exit_code = run_or_help(run, arguments);
    flush_output();
    return exit_code;
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    std::fprintf(stderr, "error: %s\n", printable_lines(problem.message).c_str());
    return problem.exit_code;
  }
}

}  // namespace lockstep
