#pragma once

#include <string_view>

namespace lockstep {

/// What the program as a whole knows of a command, without loading what the command needs.
struct CommandFacts {
  const char* name;
  const char* purpose;
  bool takes_ranks;  // several processes of it work as one job
};

/// In the order in which they are used.
inline constexpr CommandFacts kCommandList[] = {
    {"prepare", "texts (aclImdb, CSV, JSONL) -> tokenized HDF5 data set", false},
    {"plan", "estimate: steps, time and communication on N GPUs; nothing is run", false},
    {"train", "fine-tune a DistilBERT classifier, on one rank or several", true},
    {"launch", "start the ranks of a job: lockstep launch -- train ...", false},
    {"list", "the checkpoints of a run", false},
    {"verify", "whether the checkpoints of a run, or a data set, are whole", false},
    {"export", "a checkpoint -> a Hugging Face model, or HDF5", false},
    {"evaluate", "loss, precision, recall, F1, accuracy of a model on a split", false},
    {"predict", "label and probability of texts", false},
};

/// Null if there is none of that name.
const CommandFacts* find_command(std::string_view name);

/// Throws UsageError if several copies of a command were started that do not make one job, and would do the same work
/// and write over each other's output: by mpirun, of a command that knows no ranks; by torchrun, of one that does.
void refuse_ranks(const CommandFacts& command);

}  // namespace lockstep
