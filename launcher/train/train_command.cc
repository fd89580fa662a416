#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "data/error.h"
#include "dist/error.h"
#include "dist/replica_check.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/commands.h"
#include "launcher/errors.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/job/stop_request.h"
#include "launcher/loop/advice.h"
#include "launcher/model_folder.h"
#include "launcher/replicas.h"
#include "launcher/train/job_deadline.h"
#include "launcher/train/results_table.h"
#include "launcher/train/run_folder.h"
#include "launcher/train/run_report.h"
#include "launcher/train/train_checkpoints.h"
#include "launcher/train/train_inputs.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

void require_equal_ranks(Job& job, const TrainInputs& in) {
  try {
    dist::require_equal_settings(job.control(), identity_of(in));
  } catch (const dist::CommunicationError& difference) {
    throw AgreedFailure(dist::Failure{0, kContract, difference.what()});
  }
}

/// "gradients over MPI (host memory), copied from and to the GPU, rounded to bf16"
std::string gradient_path(const TrainInputs& in, Job& job) {
  if (in.backend == GradientBackend::kNone) return "no gradients to exchange (one rank)";
  std::string path = "gradients over " + job.gradients().description();
  if (in.device != "cpu" && !job.gradients().takes_device_memory()) path += ", copied from and to the GPU";
  if (in.options.ddp_comm_hook == "bf16" && job.world_size() > 1) path += ", rounded to bf16";
  return path;
}

void print_banner(const TrainInputs& in, Job& job, const model::DistilBert& model) {
  const TrainOptions& o = in.options;
  const auto& manifest = in.data.train.manifest();
  log_info("***** Running training *****");
  log_info("  Data set = " + printable_text(manifest.name) + ", model = " + o.model_name_or_path);
  log_info(formatted("  Num examples = %lld", static_cast<long long>(in.plan.examples)));
  log_info(formatted("  Num Epochs = %.4g", in.plan.epoch_at(in.plan.total_steps)));
  log_info(formatted("  Instantaneous batch size per device = %lld", static_cast<long long>(in.plan.device_batch)));
  log_info(formatted("  Total train batch size (w. parallel, distributed & accumulation) = %lld",
                     static_cast<long long>(in.plan.global_batch)));
  log_info(formatted("  Gradient Accumulation steps = %lld", static_cast<long long>(in.plan.accumulation)));
  log_info(formatted("  Total optimization steps = %lld", static_cast<long long>(in.plan.total_steps)));
  log_info(formatted("  Number of trainable parameters = %lld", static_cast<long long>(model.layout().size)));
  log_info(formatted("  Ranks = %d, device of rank 0 = %s, threads per rank = %d, %s", job.world_size(),
                     in.device.c_str(), in.threads.per_rank, gradient_path(in, job).c_str()));
  if (const std::string words = model.attention_words(); !words.empty()) log_info("  Attention = " + words);
  if (o.bf16) log_info("  Mixed precision = bf16, with fp32 parameters and gradients");
  if (!in.eval_split.empty())
    log_info(formatted("  Evaluation on %zu examples of split %s, %s", in.data.eval_examples.size(),
                       in.eval_split.c_str(), o.eval_strategy == "epoch" ? "each epoch" : "in steps"));
  if (o.load_best_model_at_end && in.eval_split == "test")
    log_info("  The best model is chosen by " + o.metric_for_best_model +
             " on the test split: optimistic for unseen texts");
}

void warn_about_labels(const TrainInputs& in) {
  std::vector<int64_t> counts(in.config.labels.size());
  for (const int64_t example : in.data.train_examples)
    ++counts.at(in.data.train.label(example));
  for (const std::string& warning : advise_on_labels(counts, in.config.labels))
    log_warning(printable_text(warning));
}

void warn_about_slow_bfloat16(const TrainInputs& in) {
  if (in.options.bf16 && !model::has_bfloat16(in.device))
    log_warning("this CPU has no bf16 instructions (AVX512_BF16 or AMX): --bf16 is slower here than without it");
}

void load_weights(model::DistilBert& model, const TrainInputs& in) {
  const model::LoadReport report = model::load_weights(model, in.model_folder, in.options.seed);
  if (report.folded_from_bert) log_info("a BERT encoder was folded into DistilBERT's architecture");
  if (!report.newly_initialized.empty())
    log_info(formatted("%zu tensors are newly initialized (the classifier); the training teaches them",
                       report.newly_initialized.size()));
}

/// Collective. Rank 0's weights to all.
void share_weights(Job& job, model::DistilBert& model) {
  if (job.world_size() == 1) return;
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  if (job.is_main()) model.get_parameters(parameters);
  job.control().idle_barrier();  // rank 0 may read for a while
  job.control().broadcast(std::as_writable_bytes(std::span(parameters)), 0);
  model.set_parameters(parameters);
  require_equal_parameters(job, model, "parameters after the broadcast");
}

/// Collective. One replica per rank; without weights yet if a checkpoint will bring them.
model::DistilBert make_replicas(Job& job, const TrainInputs& in, bool from_checkpoint) {
  std::optional<model::DistilBert> model;
  job.together([&] {
    model.emplace(in.config, in.device, in.options.bf16 ? model::Precision::kBFloat16 : model::Precision::kFloat32,
                  in.options.attn_implementation == "eager" ? model::GpuAttention::kPlain : model::GpuAttention::kAuto);
    if (job.is_main() && !from_checkpoint) load_weights(*model, in);
  });
  share_weights(job, *model);
  return std::move(*model);
}

/// A folder's own name, or the name as it was given: what tables and cards show of the base model.
std::string base_model_name(const std::string& name_or_path) {
  const fs::path path = fs::path(name_or_path).lexically_normal();
  if (!fs::is_directory(path)) return name_or_path;
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

RunReport report_of(const TrainInputs& in, const Job& job, const model::DistilBert& model) {
  return {in.options,
          in.plan,
          base_model_name(in.options.model_name_or_path),
          in.data.train.manifest().name,
          in.eval_split,
          static_cast<int64_t>(in.data.eval_examples.size()),
          job.world_size(),
          in.device,
          model.layout().size};
}

std::string results_text(const TrainInputs& in, const RunHistory& history, const TrainSummary& summary,
                         const RunReport& report) {
  if (history.evaluations().empty()) return "";
  const std::string heading =
      formatted("\n%s: %lld training and %zu %s examples, %s", printable_text(report.dataset_name).c_str(),
                static_cast<long long>(in.plan.examples), in.data.eval_examples.size(), in.eval_split.c_str(),
                printable_text(report.base_model).c_str());
  std::string table = results_table(heading, history.evaluations(), summary.best.step(), in.published) + "\n";
  const EvalRecord* delivered = delivered_evaluation(report, history, summary);
  if (delivered == nullptr) return table;
  return table + formatted("* best by %s%s. Delivered: epoch %.2f, accuracy %s\n\n%s\n", summary.best.metric().c_str(),
                           in.eval_split == "test" ? ", chosen on the test split" : "", delivered->epoch,
                           accuracy_with_interval(delivered->result.confusion).c_str(),
                           confusion_table(delivered->result.confusion, in.config.labels).c_str());
}

std::string words_on_saves(const SaveCounts& saves) {
  std::string text;
  if (saves.failed > 0)
    text += "warning: " + counted(saves.failed, "checkpoint") + " could not be written" +
            (saves.failed == 1 ? ": " : "; the last of them: ") + printable_text(saves.last_problem) + "\n";
  if (saves.skipped > 0)
    text += "warning: " + counted(saves.skipped, "checkpoint") + (saves.skipped == 1 ? " was" : " were") +
            " left out, since the one before was still being written\n";
  return text;
}

std::string words_on_stop(const TrainInputs& in, const TrainSummary& summary, bool time_is_over) {
  const bool keeps_best = in.options.load_best_model_at_end && summary.best.any();
  return formatted("stopped %s after step %lld of %lld; %s holds %s, that of step %lld\n",
                   time_is_over ? "shortly before the end of the job's time," : "on request",
                   static_cast<long long>(summary.steps), static_cast<long long>(in.plan.total_steps),
                   in.options.output_dir.c_str(), keeps_best ? "the best model so far" : "the model as it is now",
                   static_cast<long long>(keeps_best ? summary.best.step() : summary.steps));
}

/// What more ranks cost: for how long they stood still while gradients travelled.
std::string exposed_line(const TrainSummary& summary) {
  const double step_seconds = summary.train_seconds / static_cast<double>(std::max<int64_t>(summary.steps, 1));
  return formatted("communication exposed: %.1f ms a step (%.1f %%)\n", 1000 * summary.exposed_seconds,
                   100 * summary.exposed_seconds / std::max(step_seconds, 1e-9));
}

std::string closing_words(const TrainInputs& in, const TrainSummary& summary, int world_size, bool time_is_over) {
  std::string text;
  for (const std::string& advice : summary.advice)
    text += "warning: " + advice + "\n";
  if (summary.stopped_early)
    text += "stopped early after " + counted(summary.steps, "step") + ": no better " +
            in.options.metric_for_best_model + " for " + counted(in.options.early_stopping_patience, "evaluation") +
            "\n";
  if (summary.stopped_on_request) text += words_on_stop(in, summary, time_is_over);
  if (world_size > 1) text += exposed_line(summary);
  text += words_on_saves(summary.saves);
  if (summary.lost_best_step >= 0)
    text += formatted("the model of step %lld, the best one when it was evaluated, could not be written\n",
                      static_cast<long long>(summary.lost_best_step));
  text += formatted("trained %s in %s, %s; the model is in %s\n", counted(summary.steps, "step").c_str(),
                    format_duration(summary.train_seconds).c_str(), speed_words(summary.per_second).c_str(),
                    in.options.output_dir.c_str());
  if (summary.stopped_on_request && in.options.save_strategy != "no" && !summary.saves.last_failed)
    text += "to go on: the same command with --resume_from_checkpoint auto\n";
  return text;
}

/// Never success, nor a promise to go on, without the checkpoint of the last step.
int exit_code_of(const TrainSummary& summary) {
  if (summary.saves.last_failed || summary.lost_best_step >= 0) return kStorage;
  return summary.stopped_on_request ? kStopped : kDone;
}

/// What the manifest's "training" and the records say is only looked at here.
void restore_counts(const StoredCheckpoint& start, const FlatState& state, Trainer& trainer) {
  const std::string history = history_of(start);
  const auto refuse = [&](const std::exception& error) {
    return CheckpointError(start.folder.string() + ": " + kHistoryName +
                           " or \"training\" in manifest.json does not fit this program: " + error.what());
  };
  try {
    trainer.restore(*start.manifest, state, history);
  } catch (const data::DataError& error) {
    throw refuse(error);
  } catch (const nlohmann::json::exception& error) {
    throw refuse(error);
  } catch (const std::invalid_argument& error) {  // a sum that is no number
    throw refuse(error);
  }
}

/// Collective. Model, optimizer, counts and log as the checkpoint has them.
void restore(Job& job, const TrainInputs& in, const StoredCheckpoint& start, const FolderOwner* owner,
             model::DistilBert& model, Trainer& trainer) {
  job.activity().phase("reading a checkpoint", dist::Pace::kOpen);
  const FlatState state = load_state(job, start, tensors_of(model.layout()));
  job.together([&] {
    restore_counts(start, state, trainer);
    if (!job.is_main() || !in.options.load_best_model_at_end || !fs::exists(start.folder / kBestModelName)) return;
    owner->change([&] {
      write_model_files(model, *in.tokenizer, in.options.output_dir, *owner);
      restore_best_model(start, in.options.output_dir);
    });
  });
  failpoint("restored");
}

/// Rank 0's, whose answer is everybody's: other hosts may not know, or have other clocks.
JobDeadline deadline_of(const Job& job, int64_t parameters) {
  constexpr double kStateBytes = 12, kSlowDisk = 50e6;  // of each parameter; a second
  return JobDeadline(job.is_main() ? end_of_slurm_job() : std::nullopt,
                     static_cast<double>(parameters) * kStateBytes / kSlowDisk, JobDeadline::Clock::now());
}

int train(Job& job, const std::vector<std::string>& arguments) {
  failpoint("mpi-initialized");
  start_log(job.rank(), job.world_size());
  TrainInputs in;
  job.together([&] { in.options = parse_train_options(arguments, &in.settings); });
  job.watch(in.options.hang_timeout);
  job.activity().phase("loading", dist::Pace::kOpen);
  failpoint("loading");
  job.together([&] { load_inputs(in, job); });
  failpoint("loaded");
  require_equal_ranks(job, in);
  model::set_compute_threads(in.threads.per_rank);
  std::optional<RunFolder> folder;
  job.together([&] {
    if (job.is_main()) folder.emplace(in);
  });
  failpoint("locked");
  const FolderOwner* const owner = folder ? &folder->owner() : nullptr;
  const std::optional<StoredCheckpoint> start = find_start(job, in);
  require_room(job, in, start);
  job.together([&] {
    if (job.is_main()) folder->begin(start);
  });
  failpoint("begun");
  model::DistilBert model = make_replicas(job, in, start.has_value());
  failpoint("replicas-made");
  job.connect_gradients([&] { return make_gradient_communicator(in.backend, job.control(), model.compute_stream()); });
  failpoint("connected");
  if (job.is_main()) print_banner(in, job, model);
  if (job.is_main()) warn_about_labels(in);
  if (job.is_main()) warn_about_slow_bfloat16(in);

  RunHistory history(job.is_main() ? fs::path(in.options.output_dir) : fs::path(), owner);
  Trainer trainer(in.options, in.plan, in.data, in.threads, job, model, history);
  if (start) restore(job, in, *start, owner, model, trainer);
  std::optional<CheckpointSaver> saver;
  JobDeadline deadline = deadline_of(job, model.layout().size);
  if (in.options.save_strategy != "no") {
    saver.emplace(job, checkpoint_facts(job, in, model.layout(), start, owner));
    trainer.save_with(*saver, [&](const TrainSummary& summary) {
      deadline.save_began(JobDeadline::Clock::now());
      return interim_trainer_state_json(report_of(in, job, model), history, summary).dump(2) + "\n";
    });
  }
  const auto publish = [&] {
    owner->change([&] { write_model_files(model, *in.tokenizer, in.options.output_dir, *owner); });
  };
  const auto note_saves = [&](const StepStats&) {
    if (saver) deadline.saves_written(saver->counts().written, JobDeadline::Clock::now());
  };
  const auto has_to_stop = [&] { return deadline.is_near(JobDeadline::Clock::now()) || stop_requested(); };
  const TrainSummary summary = trainer.run(publish, note_saves, has_to_stop);
  failpoint("trained");
  job.activity().phase("writing results", dist::Pace::kOpen);
  job.together([&] {
    if (!job.is_main()) return;
    const RunReport report = report_of(in, job, model);
    owner->change([&] { write_run_report(report, history, summary, in.options.output_dir); });
    print_report(results_text(in, history, summary, report) +
                 closing_words(in, summary, job.world_size(), deadline.was_near()));
  });
  failpoint("results-written");
  return exit_code_of(summary);
}

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& argument) { return argument == "--help" || argument == "-h"; });
}

}  // namespace

int train_command(const std::vector<std::string>& arguments) {
  if (asks_for_help(arguments)) parse_train_options({"--help"}, nullptr);
  failpoint("start");
  return run_job([&](Job& job) { return train(job, arguments); });
}

}  // namespace lockstep
