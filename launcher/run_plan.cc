#include "launcher/run_plan.h"

#include <algorithm>
#include <cmath>

#include "launcher/errors.h"

namespace lockstep {

namespace {

int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t total_steps_of(const TrainOptions& options, int64_t steps_per_epoch) {
  if (options.max_steps > 0) return options.max_steps;
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(options.num_train_epochs * static_cast<double>(steps_per_epoch))));
}

model::Decay decay_of(const std::string& lr_scheduler_type) {
  if (lr_scheduler_type == "linear") return model::Decay::kLinear;
  return lr_scheduler_type == "cosine" ? model::Decay::kCosine : model::Decay::kNone;
}

model::LearningRateSchedule schedule_of(const TrainOptions& options, int64_t total_steps) {
  model::LearningRateSchedule schedule;
  schedule.peak = options.learning_rate;
  schedule.total_steps = total_steps;
  schedule.decay = decay_of(options.lr_scheduler_type);
  const bool ratio = options.warmup_steps < 1;
  // As HF's Trainer: a ratio is rounded up, a number of steps loses its fraction.
  schedule.warmup_steps = static_cast<int64_t>(
      ratio ? std::ceil(options.warmup_steps * static_cast<double>(total_steps)) : options.warmup_steps);
  if (options.lr_scheduler_type == "constant") schedule.warmup_steps = 0;
  return schedule;
}

}  // namespace

double RunPlan::epoch_at(int64_t step) const {
  return static_cast<double>(step) / static_cast<double>(steps_per_epoch);
}

RunPlan make_run_plan(const TrainOptions& options, int64_t examples, int world_size) {
  if (examples == 0) throw SettingsError("the training split is empty");
  RunPlan plan;
  plan.examples = examples;
  plan.accumulation = options.gradient_accumulation_steps;
  plan.global_batch = options.global_batch_size > 0
                          ? options.global_batch_size
                          : options.per_device_train_batch_size * world_size * options.gradient_accumulation_steps;
  plan.device_batch = divide_up(plan.global_batch, world_size * plan.accumulation);
  plan.steps_per_epoch = divide_up(examples, plan.global_batch);
  plan.total_steps = total_steps_of(options, plan.steps_per_epoch);
  plan.epochs = divide_up(plan.total_steps, plan.steps_per_epoch);
  plan.schedule = schedule_of(options, plan.total_steps);
  return plan;
}

}  // namespace lockstep
