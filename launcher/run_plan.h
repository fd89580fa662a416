#pragma once

#include <cstdint>
#include <string>

#include "launcher/train_options.h"
#include "model/schedule.h"

namespace lockstep {

/// The arithmetic of a run: a pure function of options, number of training examples and ranks.
struct RunPlan {
  int64_t examples = 0;
  int64_t global_batch = 0;     // examples per optimizer step, over all ranks
  int64_t accumulation = 1;     // micro-batches per step and rank
  int64_t device_batch = 0;     // examples of one rank's micro-batch, if they were dealt by number; rounded up
  int64_t steps_per_epoch = 0;  // the last step of an epoch may have fewer examples
  int64_t total_steps = 0;
  int64_t epochs = 0;  // begun epochs
  model::LearningRateSchedule schedule;

  /// Epochs done after `step` steps, a fraction: 188 steps an epoch, step 94 -> 0.5.
  double epoch_at(int64_t step) const;
};

/// Throws SettingsError if there are no examples.
RunPlan make_run_plan(const TrainOptions& options, int64_t examples, int world_size);

}  // namespace lockstep
