#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "data/atomic_file.h"
#include "data/sampler.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/option_values.h"
#include "launcher/cli/printable_text.h"
#include "launcher/commands.h"
#include "launcher/errors.h"
#include "launcher/evaluator.h"
#include "launcher/find_model_folder.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/job/progress.h"
#include "launcher/loop/run_history.h"
#include "launcher/machine.h"
#include "launcher/model_folder.h"
#include "launcher/train/results_table.h"
#include "model/compute.h"

namespace lockstep {

namespace {

const char* const kEvaluateFooter = R"(
Example:
  lockstep evaluate --model_name_or_path runs/imdb --dataset datasets/imdb \
      --split test --output_file results.json

Exit codes: 0 done; 2 usage; 3 model and data do not fit; 4 damaged input;
8 NaN; 9 output could not be written.)";

struct EvaluateOptions {
  std::string model, dataset, split = "test", output_file;
  int64_t max_samples = -1, batch_size = 8;
  int max_seq_length = 512, threads = 0;
  uint64_t seed = 42;
};

EvaluateOptions parse(const std::vector<std::string>& arguments) {
  EvaluateOptions o;
  auto app = make_app("lockstep evaluate", "Measures a fine-tuned model on a prepared split. Runs on the CPU.",
                      kEvaluateFooter);
  app->add_option("--model_name_or_path", o.model, "Folder of the fine-tuned model")
      ->check(filled("a folder or a name"))
      ->required();
  app->add_option("--dataset", o.dataset, "Folder that `lockstep prepare` wrote")
      ->check(filled("a folder"))
      ->required();
  app->add_option("--split", o.split, "Split to measure on")->check(filled("a split"));
  app->add_option("--max_eval_samples", o.max_samples, "This many, class-balanced, chosen by the seed; -1: all")
      ->check(count_or_all());
  app->add_option("--per_device_eval_batch_size", o.batch_size, "Examples per batch")->check(whole_number(1, 1000000));
  app->add_option("--max_seq_length", o.max_seq_length, "Longer examples lose their end")
      ->check(whole_number(3, 1 << 20));
  app->add_option("--seed", o.seed, "Seed of the subset")->check(whole_number(0));
  app->add_option("--threads", o.threads, "Threads; 0: all cores")->check(whole_number(0, 4096));
  app->add_option("--output_file", o.output_file, "Also write the numbers as JSON")
      ->check(filled("a file"))
      ->type_name("FILE");
  parse_command_line(*app, arguments);
  return o;
}

void print_result(const EvalResult& result, const std::vector<std::string>& labels, const std::string& heading) {
  print_report(
      printable_text(heading) +
      formatted("\n  loss       %.4f\n  accuracy   %s\n  precision  %.4f\n  recall     %.4f\n  F1         %.4f\n\n",
                result.loss, accuracy_with_interval(result.confusion).c_str(), result.metrics.precision,
                result.metrics.recall, result.metrics.f1) +
      confusion_table(result.confusion, labels));
}

/// Before the evaluation, which may take hours.
void require_writable(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (std::filesystem::is_directory(file))
    throw UsageError("--output_file " + file.string() + " is a folder; name a file");
  if (!std::filesystem::is_directory(folder))
    throw ProgramError(kStorage, "--output_file " + file.string() + ": there is no folder " + folder.string());
  if (access(folder.c_str(), W_OK) != 0)
    throw ProgramError(kStorage,
                       "--output_file " + file.string() + ": the folder cannot be written: " + std::strerror(errno));
}

/// The model's, with the data set's labels.
model::DistilBertConfig config_for(const data::DatasetManifest& dataset, const std::filesystem::path& folder,
                                   int max_seq_length) {
  model::DistilBertConfig config = model::load_config(folder);
  require_fitting(dataset, data::WordPieceTokenizer::from_folder(folder), config, max_seq_length);
  if (config.num_labels() != std::ssize(dataset.labels))
    throw SettingsError("the model has " + counted(config.num_labels(), "label") + " and the data set " +
                        std::to_string(dataset.labels.size()));
  const std::vector<std::string> own_labels = config.labels;
  take_labels(config, dataset);
  if (own_labels != config.labels && !own_labels.front().starts_with("LABEL_"))
    log_warning("the model calls its labels " + printable_text(nlohmann::json(own_labels).dump()) + ", the data set " +
                printable_text(nlohmann::json(config.labels).dump()) + "; they are compared by their numbers");
  return config;
}

EvalResult evaluate(model::DistilBert& model, const data::ShardedDataset& dataset, const EvaluateOptions& options) {
  const auto examples = data::balanced_subset(dataset.labels(), options.max_samples, options.seed);
  Progress progress(detect_progress_style(), "evaluating", std::ssize(examples), "examples");
  const EvalCounts counts =
      evaluate_part(model, dataset, examples, {options.batch_size, options.max_seq_length, 0, 1}, [&](int64_t done) {
        progress.update(done);
        return true;
      });
  clear_progress_line();
  return result_of(counts, progress.seconds());
}

}  // namespace

int evaluate_command(const std::vector<std::string>& arguments) {
  const EvaluateOptions options = parse(arguments);
  if (!options.output_file.empty()) require_writable(options.output_file);
  model::set_compute_threads(plan_threads(options.threads, 1).per_rank);
  const auto folder = find_weights_folder(options.model);
  const auto dataset = data::ShardedDataset::open(options.dataset, options.split);
  const model::DistilBertConfig config = config_for(dataset.manifest(), folder, options.max_seq_length);
  model::DistilBert model = load_classifier(config, folder);
  const EvalResult result = evaluate(model, dataset, options);
  print_result(result, config.labels,
               dataset.manifest().name + ", " + counted(result.examples(), "example") + " of split " + options.split +
                   ", model " + folder.string());
  if (!options.output_file.empty()) data::write_file_atomically(options.output_file, eval_json(result).dump(2) + "\n");
  return kDone;
}

}  // namespace lockstep
