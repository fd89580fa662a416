#pragma once

#include <optional>

#include "launcher/checkpoint/resume.h"
#include "launcher/checkpoint/saver.h"
#include "launcher/train/train_inputs.h"

namespace lockstep {

/// A model's tensors in flat order.
std::vector<TensorShape> tensors_of(const model::ParameterLayout& layout);

/// Collective. The checkpoint that `in.options` ask to go on from, if any, once what has changed since is shown and
/// judged. Throws AgreedFailure.
ResumePoint find_start(Job& job, const TrainInputs& in);

/// Collective. Looks before the first step whether --output_dir has room for what the run will write there: warns, or
/// throws AgreedFailure (kStorage) if not even one checkpoint and the model fit.
void require_room(Job& job, const TrainInputs& in, const ResumePoint& start);

/// Collective. What all checkpoints of this run have in common; `start`: the one it goes on from; `owner`: rank 0's.
CheckpointFacts checkpoint_facts(Job& job, const TrainInputs& in, const model::ParameterLayout& layout,
                                 const ResumePoint& start, const FolderOwner* owner);

/// Rank 0: the run folder's model becomes again the best one at the checkpoint, if that holds it. An evaluation after
/// the checkpoint may have replaced it.
void restore_best_model(const StoredCheckpoint& start, const std::filesystem::path& run_folder);

}  // namespace lockstep
