#include "launcher/cli/light_command.h"

#include <cstdio>
#include <exception>

#include "launcher/cli/command_line.h"
#include "launcher/errors.h"
#include "launcher/job/log.h"

namespace lockstep {

int run_light(const CommandFacts& command, LightCommand run, const std::vector<std::string>& arguments) {
  try {
    refuse_ranks(command);
    return run(arguments);
  } catch (const HelpRequested& help) {
    std::fputs(help.text.c_str(), stdout);
    return kDone;
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    std::fprintf(stderr, "error: %s\n", printable_lines(problem.message).c_str());
    return problem.exit_code;
  }
}

}  // namespace lockstep
