#include "launcher/command_list.h"

#include <cstdlib>
#include <string>

#include "launcher/errors.h"

namespace lockstep {

const CommandFacts* find_command(std::string_view name) {
  for (const CommandFacts& command : kCommandList)
    if (name == command.name) return &command;
  return nullptr;
}

void refuse_ranks(const CommandFacts& command) {
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (!command.takes_ranks && ranks != nullptr && std::atoi(ranks) > 1)
    throw UsageError(std::string("lockstep ") + command.name + " is one process, and mpirun started " + ranks +
                     "; run it without mpirun");
}

}  // namespace lockstep
