#include "launcher/commands.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "data/hdf5_version.h"
#include "data/spelling.h"
#include "dist/mpi_environment.h"
#include "launcher/command_line.h"
#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/log.h"
#include "model/distilbert.h"

namespace lockstep {

namespace {

struct Command {
  const char* name;
  int (*run)(const std::vector<std::string>&);
  const char* purpose;
  bool takes_ranks;
};

constexpr Command kCommands[] = {
    {"prepare", prepare_command, "texts (aclImdb, CSV, JSONL) -> tokenized HDF5 data set", false},
    {"train", train_command, "fine-tune a DistilBERT classifier; one rank per GPU with mpirun", true},
    {"evaluate", evaluate_command, "loss, precision, recall, F1, accuracy of a model on a split", false},
    {"predict", predict_command, "label and probability of texts", false},
};

std::string overview() {
  std::string text =
      "lockstep - distributed fine-tuning of DistilBERT text classifiers\n\nUsage: lockstep COMMAND "
      "[OPTIONS]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    text += formatted("  %-10s%s\n", command.name, command.purpose);
  }
  return text + R"(
lockstep COMMAND --help explains a command's options and shows examples.
lockstep --version tells what this is built from.

Typical order: prepare, mpirun -np N lockstep train ..., evaluate, predict.
)";
}

/// Several copies of a command that knows no ranks would do the same work, and write over each other's output.
void refuse_ranks(const Command& command) {
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (!command.takes_ranks && ranks != nullptr && std::atoi(ranks) > 1)
    throw UsageError(std::string("lockstep ") + command.name + " is one process, and mpirun started " + ranks +
                     "; run it without mpirun");
}

int dispatch(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? "--help" : arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    std::fputs(overview().c_str(), stdout);
    return arguments.empty() ? kUsage : kDone;
  }
  if (name == "--version" || name == "-V") {
    std::fputs(version_text().c_str(), stdout);
    return kDone;
  }
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (name == command.name) refuse_ranks(command);
    if (name == command.name) return command.run({arguments.begin() + 1, arguments.end()});
    names.emplace_back(command.name);
  }
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
