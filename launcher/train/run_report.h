#pragma once

#include <filesystem>
#include <string>

#include "launcher/loop/run_history.h"
#include "launcher/loop/trainer.h"
#include "launcher/run_plan.h"

namespace lockstep {

/// Everything that the files beside a model tell about how it came to be.
struct RunReport {
  TrainOptions options;
  RunPlan plan;
  std::string base_model;    // its name: a hub name, or the last part of a path
  std::string dataset_name;  // of the manifest: "imdb", "smoke corpus"
  std::string eval_split;    // "" if nothing was evaluated
  int64_t eval_examples = 0;
  int world_size = 1;
  std::string device;
  int64_t parameters = 0;
};

/// HF's trainer_state.json in the course of a run, for the checkpoint of its present step.
nlohmann::json interim_trainer_state_json(const RunReport& report, const RunHistory& history,
                                          const TrainSummary& summary);
/// The same at its end.
nlohmann::json trainer_state_json(const RunReport& report, const RunHistory& history, const TrainSummary& summary);
/// Contents of all_results.json: final (or best) evaluation and training figures.
nlohmann::json all_results_json(const RunReport& report, const RunHistory& history, const TrainSummary& summary);

/// The evaluation that describes the delivered model: the best one if the run keeps the best, else that of the last
/// step. Null if there is none.
const EvalRecord* delivered_evaluation(const RunReport& report, const RunHistory& history, const TrainSummary& summary);

/// Writes README.md, trainer_state.json, all_results.json, train_results.json and eval_results.json into `folder`.
void write_run_report(const RunReport& report, const RunHistory& history, const TrainSummary& summary,
                      const std::filesystem::path& folder);

}  // namespace lockstep
