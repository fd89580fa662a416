#include "launcher/train/train_words.h"

#include <algorithm>

#include "launcher/cli/printable_text.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/loop/advice.h"
#include "launcher/train/results_table.h"
#include "model/compute.h"

namespace lockstep {

namespace {

/// "gradients over MPI (host memory), copied from and to the GPU, rounded to bf16"
std::string gradient_path(const TrainInputs& in, Job& job) {
  if (in.backend == GradientBackend::kNone) return "no gradients to exchange (one rank)";
  std::string path = "gradients over " + job.gradients().description();
  if (in.device != "cpu" && !job.gradients().takes_device_memory()) path += ", copied from and to the GPU";
  if (in.options.ddp_comm_hook == "bf16" && job.world_size() > 1) path += ", rounded to bf16";
  return path;
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

}  // namespace

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
  warn_about_labels(in);
  warn_about_slow_bfloat16(in);
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
  if (in.options.load_best_model_at_end && summary.best.lost_step() >= 0)
    text += formatted("the model of step %lld, the best one when it was evaluated, could not be written\n",
                      static_cast<long long>(summary.best.lost_step()));
  text += formatted("trained %s in %s, %s; the model is in %s\n", counted(summary.steps, "step").c_str(),
                    format_duration(summary.train_seconds).c_str(), speed_words(summary.per_second).c_str(),
                    in.options.output_dir.c_str());
  if (summary.stopped_on_request && in.options.save_strategy != "no" && !summary.saves.last_failed)
    text += "to go on: the same command with --resume_from_checkpoint auto\n";
  return text;
}

}  // namespace lockstep
