#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "data/wordpiece.h"
#include "launcher/checkpoint/manifest.h"
#include "launcher/job/job.h"
#include "launcher/loop/gradient_backend.h"
#include "launcher/loop/trainer.h"
#include "launcher/machine.h"
#include "launcher/run_plan.h"
#include "launcher/train/results_table.h"
#include "launcher/train_options.h"
#include "model/config.h"

namespace lockstep {

/// What every rank reads before the first collective of training.
struct TrainInputs {
  TrainOptions options;
  std::string settings;  // effective configuration, "key = value" lines
  std::filesystem::path model_folder;
  std::optional<data::WordPieceTokenizer> tokenizer;
  model::DistilBertConfig config;
  TrainingData data;
  std::string eval_split;
  std::map<int64_t, PublishedResult> published;
  RunPlan plan;
  ThreadPlan threads;
  std::string device;
  GradientBackend backend = GradientBackend::kNone;
};

/// Reads data set, tokenizer and model configuration, and settles plan, threads and device, from `options` alone: no
/// collective, so that it runs inside Job::together. Throws what its parts throw; SettingsError where they do not fit
/// each other.
void load_inputs(TrainInputs& inputs, Job& job);

/// What a checkpoint says of its run, to be compared when it goes on: every option, and the facts that they lead to.
RunFacts facts_of(const TrainInputs& inputs, int world_size);

/// `saved`, and of options that the program which saved it did not have, their defaults: that is what it did.
RunFacts with_defaults(RunFacts saved);

/// What must be the same on every rank, as lines "key = value": settings, data and kind of device.
std::string identity_of(const TrainInputs& inputs);

}  // namespace lockstep
