#include "launcher/train/run_report.h"

#include <algorithm>

#include "data/atomic_file.h"
#include "launcher/checkpoint/store.h"
#include "launcher/format.h"
#include "launcher/train/model_card.h"

namespace lockstep {

namespace {

nlohmann::json training_json(const RunReport& report, const TrainSummary& summary) {
  const double seconds = std::max(summary.train_seconds, 1e-9);
  return {{"epoch", rounded(report.plan.epoch_at(summary.steps), 4)},
          {"train_loss", summary.train_loss},
          {"train_runtime", rounded(seconds, 4)},
          {"train_samples", report.plan.examples},
          {"train_samples_per_second", rounded(summary.per_second.samples, 3)},
          {"train_tokens_per_second", rounded(summary.per_second.tokens, 3)},
          {"train_steps_per_second", rounded(static_cast<double>(summary.steps) / seconds, 3)}};
}

nlohmann::json evaluation_json(const RunReport& report, const RunHistory& history, const TrainSummary& summary) {
  const EvalRecord* record = delivered_evaluation(report, history, summary);
  if (record == nullptr) return nlohmann::json::object();
  nlohmann::json json = eval_json(record->result);
  json["epoch"] = rounded(record->epoch, 4);
  return json;
}

/// Where the best model's checkpoint is, if there is one.
nlohmann::json best_checkpoint(const RunReport& report, const TrainSummary& summary, bool with_present_one) {
  const std::filesystem::path folder =
      std::filesystem::path(report.options.output_dir) / checkpoint_name(summary.best.step());
  std::error_code ignored;  // a link that leads nowhere
  const bool is_there =
      std::filesystem::exists(folder, ignored) || (with_present_one && summary.best.step() == summary.steps);
  return is_there ? nlohmann::json(folder.string()) : nlohmann::json();
}

void write_json(const std::filesystem::path& path, const nlohmann::json& json) {
  data::write_file_atomically(path, json.dump(2) + "\n");
}

}  // namespace

const EvalRecord* delivered_evaluation(const RunReport& report, const RunHistory& history,
                                       const TrainSummary& summary) {
  const auto& evaluations = history.evaluations();
  const int64_t step = report.options.load_best_model_at_end ? summary.best.step() : summary.steps;
  const auto found = std::find_if(evaluations.rbegin(), evaluations.rend(),
                                  [&](const EvalRecord& record) { return record.step == step; });
  return found == evaluations.rend() ? nullptr : &*found;
}

nlohmann::json interim_trainer_state_json(const RunReport& report, const RunHistory& history,
                                          const TrainSummary& summary) {
  const BestModel& best = summary.best;
  nlohmann::json json = {{"epoch", rounded(report.plan.epoch_at(summary.steps), 4)},
                         {"global_step", summary.steps},
                         {"max_steps", report.plan.total_steps},
                         {"num_train_epochs", report.plan.epochs},
                         {"train_batch_size", report.plan.device_batch},
                         {"logging_steps", report.options.logging_steps},
                         {"eval_steps", report.options.eval_steps},
                         {"is_hyper_param_search", false},
                         {"is_local_process_zero", true},
                         {"is_world_process_zero", true},
                         {"log_history", history.log()},
                         {"best_metric", nullptr},
                         {"best_global_step", nullptr},
                         {"best_model_checkpoint", nullptr},
                         {"trial_name", nullptr},
                         {"trial_params", nullptr}};
  if (best.any()) {
    json["best_metric"] = best.value();
    json["best_global_step"] = best.step();
    json["best_model_checkpoint"] = best_checkpoint(report, summary, true);
  }
  return json;
}

nlohmann::json trainer_state_json(const RunReport& report, const RunHistory& history, const TrainSummary& summary) {
  nlohmann::json json = interim_trainer_state_json(report, history, summary);
  if (summary.best.any()) json["best_model_checkpoint"] = best_checkpoint(report, summary, false);
  // Trainer closes its log with the results of the training as a whole.
  json["log_history"].push_back(training_json(report, summary));
  json["log_history"].back()["step"] = summary.steps;
  return json;
}

nlohmann::json all_results_json(const RunReport& report, const RunHistory& history, const TrainSummary& summary) {
  nlohmann::json json = training_json(report, summary);
  json.update(evaluation_json(report, history, summary));
  return json;
}

void write_run_report(const RunReport& report, const RunHistory& history, const TrainSummary& summary,
                      const std::filesystem::path& folder) {
  write_json(folder / "trainer_state.json", trainer_state_json(report, history, summary));
  write_json(folder / "train_results.json", training_json(report, summary));
  if (const nlohmann::json evaluation = evaluation_json(report, history, summary); !evaluation.empty())
    write_json(folder / "eval_results.json", evaluation);
  write_json(folder / "all_results.json", all_results_json(report, history, summary));
  data::write_file_atomically(folder / "README.md", model_card(report, history, summary));
}

}  // namespace lockstep
