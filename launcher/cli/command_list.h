#pragma once

#include <string>
#include <string_view>

namespace lockstep {

/// Which of the three programs runs a command.
enum class Program {
  kItself,  // lockstep
  kExport,  // lockstep-export, which has HDF5
  kCore     // lockstep-core, which has LibTorch and MPI as well
};

/// What the program as a whole knows of a command, without loading what the command needs.
struct CommandFacts {
  const char* name;
  const char* purpose;
  Program program;
  bool takes_ranks = false;  // several processes of it work as one job
};

/// In the order in which they are used.
inline constexpr CommandFacts kCommandList[] = {
    {"prepare", "texts (aclImdb, CSV, JSONL) -> tokenized HDF5 data set", Program::kCore},
    {"plan", "estimate: steps, time and communication on N GPUs; nothing is run", Program::kExport},
    {"train", "fine-tune a DistilBERT classifier, on one rank or several", Program::kCore, true},
    {"launch", "start the ranks of a job: lockstep launch -- train ...", Program::kItself},
    {"list", "the checkpoints of a run", Program::kItself},
    {"verify", "whether the checkpoints of a run, or a data set, are whole", Program::kItself},
    {"export", "a checkpoint -> a Hugging Face model, or HDF5", Program::kExport},
    {"evaluate", "loss, precision, recall, F1, accuracy of a model on a split", Program::kCore},
    {"predict", "label and probability of texts", Program::kCore},
};

/// Null if there is none of that name.
const CommandFacts* find_command(std::string_view name);

/// What `lockstep --help` prints.
std::string overview();

/// Throws UsageError: there is no command `name`, and what may have been meant.
[[noreturn]] void refuse_name(const std::string& name);

/// Throws UsageError if several copies of a command were started that do not make one job, and would do the same work
/// and write over each other's output: by mpirun, of a command that knows no ranks; by torchrun, of one that does.
void refuse_ranks(const CommandFacts& command);

}  // namespace lockstep
