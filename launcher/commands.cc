#include "launcher/commands.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string_view>

#include "data/hdf5_version.h"
#include "data/spelling.h"
#include "dist/mpi_environment.h"
#include "launcher/checkpoint_commands.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/command_list.h"
#include "launcher/errors.h"
#include "launcher/export_command.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/launch/launch_command.h"
#include "launcher/plan/plan_command.h"
#include "model/distilbert.h"

namespace lockstep {

namespace {

using Run = int (*)(const std::vector<std::string>&);

Run run_of(const CommandFacts& command) {
  static const std::map<std::string_view, Run> runs = {
      {"prepare", prepare_command}, {"train", train_command},       {"launch", launch_command},
      {"list", list_command},       {"verify", verify_command},     {"export", export_command},
      {"plan", plan_command},       {"evaluate", evaluate_command}, {"predict", predict_command}};
  return runs.at(command.name);
}

std::string overview() {
  std::string text =
      "lockstep - distributed fine-tuning of DistilBERT text classifiers\n\nUsage: lockstep COMMAND "
      "[OPTIONS]\n\nCommands:\n";
  for (const CommandFacts& command : kCommandList)
    text += formatted("  %-10s%s\n", command.name, command.purpose);
  return text + R"(
lockstep COMMAND --help explains a command's options and shows examples.
lockstep --version tells what this is built from.

Typical order: prepare, launch -- train ..., evaluate, predict.
)";
}

int dispatch(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? "--help" : arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    const CommandFacts* explained = arguments.size() > 1 ? find_command(arguments[1]) : nullptr;
    if (explained != nullptr) return run_of(*explained)({"--help"});
    std::fputs(overview().c_str(), stdout);
    return arguments.empty() ? kUsage : kDone;
  }
  if (name == "--version" || name == "-V") {
    std::fputs(version_text().c_str(), stdout);
    return kDone;
  }
  if (const CommandFacts* command = find_command(name)) {
    refuse_ranks(*command);
    return run_of(*command)({arguments.begin() + 1, arguments.end()});
  }
  std::vector<std::string> names;
  for (const CommandFacts& command : kCommandList)
    names.emplace_back(command.name);
  const std::string nearest = data::nearest(name, names);
  throw UsageError("no such command: " + printable_text(name) +
                   (nearest.empty() ? "" : "; did you mean " + nearest + "?") + "\nSee lockstep --help.");
}

int dispatch_or_help(const std::vector<std::string>& arguments) {
  try {
    return dispatch(arguments);
  } catch (const HelpRequested& help) {
    std::fputs(help.text.c_str(), stdout);
    return kDone;
  }
}

/// A descriptor that was closed before we started would become a data file's, and messages would go into that file.
/// Read-only: what is printed there still counts as lost.
void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(descriptor, F_GETFD) == -1) open("/dev/null", O_RDONLY);
}

}  // namespace

std::string version_text() {
  return "lockstep " LOCKSTEP_VERSION "\nLibTorch " + model::libtorch_version() + "\n" +
         dist::MpiEnvironment::library_version() + "\nHDF5 " + data::hdf5_version() + "\n";
}

int run_command(const std::vector<std::string>& arguments) {
  occupy_standard_descriptors();
  start_log(0, 1);
  try {
    const int exit_code = dispatch_or_help(arguments);
    flush_output();
    return exit_code;
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    print_error(problem.message);
    return problem.exit_code;
  }
}

}  // namespace lockstep
