#include "launcher/train/model_card.h"

#include <filesystem>

#include "data/hdf5_version.h"
#include "dist/mpi_environment.h"
#include "launcher/format.h"
#include "model/compute.h"

namespace lockstep {

namespace {

/// As YAML wants any string: in double quotes, with JSON's escapes.
std::string quoted(const std::string& value) {
  return nlohmann::json(value).dump();
}

/// The last component of the folder, or of the name.
std::string short_name(const std::string& path) {
  const std::filesystem::path trimmed = std::filesystem::path(path).lexically_normal();
  return trimmed.has_filename() ? trimmed.filename().string() : trimmed.parent_path().filename().string();
}

struct Headline {
  const char* type;
  const char* name;
  double value;
};

std::vector<Headline> headlines_of(const EvalResult& result) {
  return {{"accuracy", "Accuracy", result.metrics.accuracy},
          {"precision", "Precision", result.metrics.precision},
          {"recall", "Recall", result.metrics.recall},
          {"f1", "F1", result.metrics.f1}};
}

std::string front_matter(const RunReport& report, const EvalRecord* evaluation) {
  std::string yaml = "---\nlibrary_name: transformers\nbase_model: " + quoted(report.base_model) +
                     "\ntags:\n- generated_from_trainer\n- lockstep\ndatasets:\n- " + quoted(report.dataset_name) +
                     "\nmetrics:\n- accuracy\n- precision\n- recall\n- f1\nmodel-index:\n- name: " +
                     quoted(short_name(report.options.output_dir)) + "\n";
  if (evaluation == nullptr) return yaml + "  results: []\n---\n";
  yaml +=
      "  results:\n  - task:\n      name: Text Classification\n      type: text-classification\n    dataset:\n      "
      "name: " +
      quoted(report.dataset_name) + "\n      type: " + quoted(report.dataset_name) +
      "\n      split: " + quoted(report.eval_split) + "\n    metrics:\n";
  for (const Headline& headline : headlines_of(evaluation->result))
    yaml +=
        formatted("    - name: %s\n      type: %s\n      value: %.4f\n", headline.name, headline.type, headline.value);
  return yaml + "---\n";
}

std::string introduction(const RunReport& report, const EvalRecord* evaluation) {
  const std::string name = short_name(report.options.output_dir);
  std::string markdown =
      "\n<!-- This model card was generated from the run's own records. Check it, complete it, then remove this "
      "comment. -->\n\n# " +
      name + "\n\nThis model is a fine-tuned version of " + report.base_model + " on the " + report.dataset_name +
      " dataset.\n";
  if (evaluation == nullptr) return markdown;
  markdown += formatted("It achieves the following results on %lld examples of its %s split:\n",
                        static_cast<long long>(report.eval_examples), report.eval_split.c_str());
  markdown += formatted("- Loss: %.4f\n", evaluation->result.loss);
  for (const Headline& headline : headlines_of(evaluation->result))
    markdown += formatted("- %s: %.4f\n", headline.name, headline.value);
  if (report.options.load_best_model_at_end && report.eval_split == "test")
    markdown += "\nThe epoch was chosen on the test split, so these figures are optimistic for unseen texts.\n";
  return markdown;
}

std::string descriptions() {
  return "\n## Model description\n\nMore information needed\n\n## Intended uses & limitations\n\nMore information "
         "needed\n\n"
         "## Training and evaluation data\n\nMore information needed\n";
}

std::string hyperparameters(const RunReport& report) {
  const TrainOptions& o = report.options;
  std::string list =
      "\n## Training procedure\n\n### Training hyperparameters\n\nThe following hyperparameters were used during "
      "training:\n";
  list += formatted("- learning_rate: %g\n- train_batch_size: %lld\n- eval_batch_size: %lld\n- seed: %llu\n",
                    o.learning_rate, static_cast<long long>(report.plan.device_batch),
                    static_cast<long long>(o.per_device_eval_batch_size), static_cast<unsigned long long>(o.seed));
  if (report.world_size > 1)
    list += formatted("- distributed_type: %s\n- num_devices: %d\n", report.device == "cpu" ? "multi-CPU" : "multi-GPU",
                      report.world_size);
  if (report.plan.accumulation > 1)
    list += formatted("- gradient_accumulation_steps: %lld\n", static_cast<long long>(report.plan.accumulation));
  if (report.plan.global_batch != report.plan.device_batch)
    list += formatted("- total_train_batch_size: %lld\n", static_cast<long long>(report.plan.global_batch));
  list += formatted(
      "- optimizer: AdamW with betas=(%g,%g) and epsilon=%g, weight_decay=%g, max_grad_norm=%g\n- lr_scheduler_type: "
      "%s\n",
      o.adam_beta1, o.adam_beta2, o.adam_epsilon, o.weight_decay, o.max_grad_norm, o.lr_scheduler_type.c_str());
  if (report.plan.schedule.warmup_steps > 0)
    list += formatted("- lr_scheduler_warmup_steps: %lld\n", static_cast<long long>(report.plan.schedule.warmup_steps));
  list += o.max_steps > 0 ? formatted("- training_steps: %lld\n", static_cast<long long>(o.max_steps))
                          : formatted("- num_epochs: %g\n", o.num_train_epochs);
  if (o.bf16) list += "- mixed_precision_training: bf16\n";
  return list + formatted("- max_seq_length: %d\n- max_train_samples: %lld\n", o.max_seq_length,
                          static_cast<long long>(report.plan.examples));
}

std::string results(const RunHistory& history) {
  if (history.evaluations().empty()) return "";
  std::string table =
      "\n### Training results\n\n| Training Loss | Epoch | Step | Validation Loss | Accuracy | Precision | Recall | F1 "
      "|\n"
      "|:-------------:|:-----:|:----:|:---------------:|:--------:|:---------:|:------:|:------:|\n";
  for (const EvalRecord& record : history.evaluations()) {
    const model::ClassificationMetrics& m = record.result.metrics;
    table += formatted("| %.4f | %s | %lld | %.4f | %.4f | %.4f | %.4f | %.4f |\n", record.training_loss,
                       nlohmann::json(rounded(record.epoch, 4)).dump().c_str(), static_cast<long long>(record.step),
                       record.result.loss, m.accuracy, m.precision, m.recall, m.f1);
  }
  return table;
}

std::string versions() {
  return "\n### Framework versions\n\n- Lockstep " LOCKSTEP_VERSION "\n- LibTorch " + model::libtorch_version() +
         "\n- " + dist::MpiEnvironment::library_version() + "\n- HDF5 " + data::hdf5_version() + "\n";
}

}  // namespace

std::string model_card(const RunReport& report, const RunHistory& history, const TrainSummary& summary) {
  const EvalRecord* evaluation = delivered_evaluation(report, history, summary);
  return front_matter(report, evaluation) + introduction(report, evaluation) + descriptions() +
         hyperparameters(report) + results(history) + versions();
}

}  // namespace lockstep
