#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "data/atomic_file.h"
#include "data/sampler.h"
#include "data/sha256.h"
#include "dist/error.h"
#include "dist/replica_check.h"
#include "launcher/advice.h"
#include "launcher/command_line.h"
#include "launcher/commands.h"
#include "launcher/errors.h"
#include "launcher/log.h"
#include "launcher/model_folder.h"
#include "launcher/results_table.h"
#include "launcher/run_report.h"
#include "launcher/trainer.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

std::string text(const char* format, auto... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

/// What every rank reads before the first collective of training.
struct Inputs {
  TrainOptions options;
  std::string settings;  // effective configuration, "key = value" lines
  fs::path model_folder;
  std::optional<data::WordPieceTokenizer> tokenizer;
  model::DistilBertConfig config;
  TrainingData data;
  std::string eval_split;
  std::map<int64_t, PublishedResult> published;
  RunPlan plan;
  ThreadPlan threads;
  std::string device;
};

std::string choose_eval_split(const TrainOptions& options, const data::DatasetManifest& manifest) {
  if (options.eval_strategy == "no") return "";
  if (options.eval_split != "auto") return options.eval_split;
  for (const char* split : {"validation", "test"})
    if (manifest.splits.contains(split)) return split;
  throw SettingsError(
      "the data set has neither a validation nor a test split; prepare it with --validation_fraction 0.1, or add "
      "--eval_strategy no");
}

void override_dropout(model::DistilBertConfig& config, const TrainOptions& options) {
  if (options.dropout >= 0) config.dropout = options.dropout;
  if (options.attention_dropout >= 0) config.attention_dropout = options.attention_dropout;
  if (options.seq_classif_dropout >= 0) config.seq_classif_dropout = options.seq_classif_dropout;
}

void load_data(Inputs& in) {
  const TrainOptions& options = in.options;
  in.data.train = data::ShardedDataset::open(options.dataset, options.train_split);
  in.data.train_examples = data::balanced_subset(in.data.train.labels(), options.max_train_samples, options.seed);
  in.eval_split = choose_eval_split(options, in.data.train.manifest());
  if (in.eval_split.empty()) return;
  in.data.eval = data::ShardedDataset::open(options.dataset, in.eval_split);
  in.data.eval_examples = data::balanced_subset(in.data.eval.labels(), options.max_eval_samples, options.seed);
}

void load_inputs(Inputs& in, const Job& job) {
  load_data(in);
  in.model_folder = find_model_folder(in.options.model_name_or_path);
  in.tokenizer = data::WordPieceTokenizer::from_folder(in.model_folder);
  in.config = model::load_config(in.model_folder);
  override_dropout(in.config, in.options);
  const data::DatasetManifest& manifest = in.data.train.manifest();
  require_fitting(manifest, *in.tokenizer, in.config, in.options.max_seq_length);
  take_labels(in.config, manifest);
  if (!in.options.published_results.empty()) in.published = read_published_results(in.options.published_results);
  in.plan = make_run_plan(in.options, static_cast<int64_t>(in.data.train_examples.size()), job.world_size());
  in.threads = plan_threads(in.options.threads, job.environment().local_size());
  in.device = choose_device(in.options.device, job.environment());
}

/// Settings and data as lines to be compared over ranks.
std::string identity_of(const Inputs& in) {
  const auto manifest = data::to_json(in.data.train.manifest());
  return in.settings + "\ndata_set_sha256 = " + data::sha256_of(manifest) +
         "\ndevice_kind = " + in.device.substr(0, in.device.find(':')) + "\n";
}

void require_equal_ranks(Job& job, const Inputs& in) {
  try {
    dist::require_equal_settings(job.control(), identity_of(in));
  } catch (const dist::CommunicationError& difference) {
    throw AgreedFailure(dist::Failure{0, kContract, difference.what()});
  }
}

/// Rank 0: OUTPUT_DIR exists, holds nothing that would be lost, and takes the log from now on.
void open_output_folder(const Inputs& in) {
  const fs::path folder = in.options.output_dir;
  if (fs::exists(folder) && fs::exists(in.model_folder) && fs::equivalent(folder, in.model_folder))
    throw SettingsError("--output_dir " + folder.string() + " is the model's own folder; its weights would be lost");
  if (!in.options.overwrite_output_dir && fs::exists(folder / "model.safetensors"))
    throw SettingsError("--output_dir " + folder.string() +
                        " already holds a model; choose another folder, or add --overwrite_output_dir to replace it");
  fs::create_directories(folder);
  data::write_file_atomically(folder / "train_config.toml", in.settings);
  log_to_file(folder / "train.log");
}

void print_banner(const Inputs& in, const Job& job, int64_t parameters) {
  const TrainOptions& o = in.options;
  const auto& manifest = in.data.train.manifest();
  const int64_t per_rank = (in.plan.global_batch + job.world_size() - 1) / job.world_size();
  log_info("***** Running training *****");
  log_info("  Data set = " + printable_text(manifest.name) + ", model = " + o.model_name_or_path);
  log_info(text("  Num examples = %lld", static_cast<long long>(in.plan.examples)));
  log_info(text("  Num Epochs = %g", in.plan.epoch_at(in.plan.total_steps)));
  log_info(text("  Instantaneous batch size per device = %lld",
                static_cast<long long>((per_rank + in.plan.accumulation - 1) / in.plan.accumulation)));
  log_info(text("  Total train batch size (w. parallel, distributed & accumulation) = %lld",
                static_cast<long long>(in.plan.global_batch)));
  log_info(text("  Gradient Accumulation steps = %lld", static_cast<long long>(in.plan.accumulation)));
  log_info(text("  Total optimization steps = %lld", static_cast<long long>(in.plan.total_steps)));
  log_info(text("  Number of trainable parameters = %lld", static_cast<long long>(parameters)));
  log_info(text("  Ranks = %d, device of rank 0 = %s, threads per rank = %d, gradients over %s", job.world_size(),
                in.device.c_str(), in.threads.per_rank,
                job.world_size() > 1 ? "MPI (host memory)" : "nothing (one rank)"));
  if (!in.eval_split.empty())
    log_info(text("  Evaluation on %zu examples of split %s, %s", in.data.eval_examples.size(), in.eval_split.c_str(),
                  o.eval_strategy == "epoch" ? "each epoch" : "in steps"));
  if (o.load_best_model_at_end && in.eval_split == "test")
    log_info("  The best model is chosen by " + o.metric_for_best_model +
             " on the test split: optimistic for unseen texts");
}

void warn_about_labels(const Inputs& in) {
  std::vector<int64_t> counts(in.config.labels.size());
  for (const int64_t example : in.data.train_examples)
    ++counts.at(in.data.train.label(example));
  for (const std::string& warning : advise_on_labels(counts, in.config.labels))
    log_warning(printable_text(warning));
}

/// Collective. One replica per rank, rank 0's weights on all.
model::DistilBert make_replicas(Job& job, const Inputs& in) {
  std::optional<model::DistilBert> model;
  std::vector<float> parameters;
  job.together([&] {
    model.emplace(in.config, in.device);
    parameters.resize(static_cast<size_t>(model->layout().size));
    if (!job.is_main()) return;
    const model::LoadReport report = model::load_weights(*model, in.model_folder, in.options.seed);
    if (report.folded_from_bert) log_info("a BERT encoder was folded into DistilBERT's architecture");
    if (!report.newly_initialized.empty())
      log_info(text("%zu tensors are newly initialized (the classifier); the training teaches them",
                    report.newly_initialized.size()));
    model->get_parameters(parameters);
  });
  job.control().idle_barrier();  // rank 0 may read for a while
  job.gradients().broadcast(std::as_writable_bytes(std::span(parameters)), 0);
  model->set_parameters(parameters);
  model->get_parameters(parameters);
  dist::require_equal_replicas(job.control(), dist::digest_of(std::as_bytes(std::span(parameters))),
                               "parameters after the broadcast");
  return std::move(*model);
}

RunReport report_of(const Inputs& in, const Job& job, const model::DistilBert& model) {
  return {in.options,
          in.plan,
          in.options.model_name_or_path,
          in.data.train.manifest().name,
          in.eval_split,
          static_cast<int64_t>(in.data.eval_examples.size()),
          job.world_size(),
          in.device,
          model.layout().size};
}

void print_results(const Inputs& in, const RunHistory& history, const TrainSummary& summary, const RunReport& report) {
  if (const EvalRecord* delivered = delivered_evaluation(report, history, summary.best)) {
    const std::string heading =
        text("\n%s: %lld training and %zu %s examples, %s", printable_text(report.dataset_name).c_str(),
             static_cast<long long>(in.plan.examples), in.data.eval_examples.size(), in.eval_split.c_str(),
             printable_text(report.base_model).c_str());
    std::printf("%s\n", results_table(heading, history.evaluations(), summary.best.step(), in.published).c_str());
    std::printf("* best by %s%s. Delivered: epoch %.2f, accuracy %s\n\n%s\n", summary.best.metric().c_str(),
                in.eval_split == "test" ? ", chosen on the test split" : "", delivered->epoch,
                accuracy_with_interval(delivered->result.confusion).c_str(),
                confusion_table(delivered->result.confusion, in.config.labels).c_str());
    std::fflush(stdout);
  }
  for (const std::string& advice : summary.advice)
    log_warning(advice);
  if (summary.stopped_early)
    log_info(text("stopped early after %lld steps: no better %s for %lld evaluations",
                  static_cast<long long>(summary.steps), in.options.metric_for_best_model.c_str(),
                  static_cast<long long>(in.options.early_stopping_patience)));
  log_info(text("trained %lld steps in %s, %.2f examples/s; the model is in %s", static_cast<long long>(summary.steps),
                format_duration(summary.train_seconds).c_str(),
                static_cast<double>(summary.examples) / std::max(summary.train_seconds, 1e-9),
                in.options.output_dir.c_str()));
}

void train(Job& job, const std::vector<std::string>& arguments) {
  start_log(job.rank(), job.world_size());
  Inputs in;
  job.together([&] { in.options = parse_train_options(arguments, &in.settings); });
  job.together([&] { load_inputs(in, job); });
  require_equal_ranks(job, in);
  model::set_compute_threads(in.threads.per_rank);
  job.together([&] {
    if (job.is_main()) open_output_folder(in);
  });
  model::DistilBert model = make_replicas(job, in);
  if (job.is_main()) print_banner(in, job, model.layout().size);
  if (job.is_main()) warn_about_labels(in);

  RunHistory history(job.is_main() ? fs::path(in.options.output_dir) : fs::path());
  Trainer trainer(in.options, in.plan, in.data, in.threads, job, model, history);
  const TrainSummary summary = trainer.run([&] { write_model_files(model, *in.tokenizer, in.options.output_dir); });
  job.together([&] {
    if (!job.is_main()) return;
    const RunReport report = report_of(in, job, model);
    write_run_report(report, history, summary, in.options.output_dir);
    print_results(in, history, summary, report);
  });
}

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& argument) { return argument == "--help" || argument == "-h"; });
}

}  // namespace

int train_command(const std::vector<std::string>& arguments) {
  if (asks_for_help(arguments)) parse_train_options({"--help"}, nullptr);
  return run_job([&](Job& job) { train(job, arguments); });
}

}  // namespace lockstep
