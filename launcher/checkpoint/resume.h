#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/checkpoint/shard.h"
#include "launcher/checkpoint/store.h"
#include "launcher/job/job.h"

namespace lockstep {

/// What --resume_from_checkpoint asks for.
struct ResumeWish {
  enum class Kind {
    kNever,
    kNewest,         // if there is any checkpoint
    kNewestOrError,  // "must"
    kThis
  };
  Kind kind = Kind::kNever;
  std::filesystem::path folder;  // of kThis
};
/// `words`: never, auto, must, a step of a checkpoint in `run_folder`, or a checkpoint's folder.
ResumeWish resume_wish(const std::string& words, const std::filesystem::path& run_folder);

/// Where a training goes on.
struct ResumePoint {
  std::optional<StoredCheckpoint> checkpoint;  // every byte of it verified; nothing: the training starts anew
  std::vector<std::filesystem::path> damaged;  // newer checkpoints, which stay as they are
};

/// Collective. The checkpoint to go on from, verified by each rank a part of the files; nothing if the wish allows to
/// start anew. Rank 0 names those that are damaged. Throws AgreedFailure with kCheckpoint if there are checkpoints and
/// none is valid, or not the one that is wanted.
ResumePoint choose_checkpoint(Job& job, const ResumeWish& wish, const std::filesystem::path& run_folder);

/// Collective. The whole state of a checkpoint on every rank. Throws AgreedFailure if a file cannot be read, or
/// `tensors`, the model's, are others than the checkpoint's.
FlatState load_state(Job& job, const StoredCheckpoint& checkpoint, const std::vector<TensorShape>& tensors);

}  // namespace lockstep
