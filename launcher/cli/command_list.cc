#include "launcher/cli/command_list.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "data/spelling.h"
#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

const CommandFacts* find_command(std::string_view name) {
  for (const CommandFacts& command : kCommandList)
    if (name == command.name) return &command;
  return nullptr;
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

void refuse_name(const std::string& name) {
  std::vector<std::string> names;
  for (const CommandFacts& command : kCommandList)
    names.emplace_back(command.name);
  const std::string nearest = data::nearest(name, names);
  throw UsageError("no such command: " + name + (nearest.empty() ? "" : "; did you mean " + nearest + "?") +
                   "\nSee lockstep --help.");
}

namespace {

int number_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? 0 : std::atoi(value);
}

/// torchrun and accelerate start processes that know nothing of MPI: each would train alone, on the same GPU, into the
/// same folder.
bool started_by_torchrun() {
  for (const char* mark : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"})
    if (std::getenv(mark) != nullptr) return false;
  return std::getenv("LOCAL_RANK") != nullptr && number_in("WORLD_SIZE") > 1;
}

}  // namespace

void refuse_ranks(const CommandFacts& command) {
  if (const int ranks = number_in("OMPI_COMM_WORLD_SIZE"); !command.takes_ranks && ranks > 1)
    throw UsageError(std::string("lockstep ") + command.name + " is one process, and mpirun started " +
                     std::to_string(ranks) + "; run it without mpirun");
  if (command.takes_ranks && started_by_torchrun())
    throw UsageError(
        "started by torchrun (LOCAL_RANK and WORLD_SIZE are set), whose processes are no MPI ranks; use "
        "lockstep launch -n " +
        std::to_string(number_in("WORLD_SIZE")) + " -- " + command.name + " ...");
}

}  // namespace lockstep
