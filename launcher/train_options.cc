#include "launcher/train_options.h"

#include <algorithm>
#include <filesystem>

#include "launcher/cli/command_line.h"
#include "launcher/cli/option_values.h"
#include "launcher/errors.h"

namespace lockstep {

namespace {

const char* const kTrainFooter = R"(
Examples:
  lockstep train --config configs/quickstart.toml \
      --model_name_or_path MODEL --dataset DATASET
  lockstep launch -- train --config configs/imdb_reference.toml \
      --model_name_or_path distilbert-base-uncased --dataset datasets/imdb \
      --output_dir runs/reference

One rank trains on one GPU, or on a share of the CPU's cores. The global batch,
its examples and its mean loss do not depend on the number of ranks. OUTPUT_DIR
becomes a Hugging Face model folder; train_config.toml in it repeats the run.

Exit codes: 0 done; 2 usage; 3 settings, model and data do not fit; 4 damaged
input; 5 no usable checkpoint; 6 a rank was lost; 7 a rank hung; 8 NaN; 9 disk;
10 OUTPUT_DIR is another run's at this moment; 75 stopped on request (Ctrl-C
under launch, SIGUSR1 to mpirun) before the end.)";

constexpr int64_t kMost = 1'000'000'000;  // keeps products of counts far from overflow
constexpr double kAny = 1e30;             // finite, and no judgement
constexpr double kLeastEpsilon = 1e-37;   // as a float it is not 0: where all gradients were 0, AdamW divides by it

CLI::Validator hang_timeout_seconds() {
  const auto check = [](std::string& text) -> std::string {
    const bool is_word = text == "0" || text == "-1";
    return is_word || number(1, 1e6)(text).empty() ? "" : refusal(text, "a number of at least 1, auto or off");
  };
  return {check, ""};
}

void add_data_options(CLI::App& app, TrainOptions& o) {
  const auto group = "Model and data";
  app.add_option("--model_name_or_path", o.model_name_or_path,
                 "Folder of a DistilBERT (or MiniLM) model, or a name in the local Hugging Face cache")
      ->check(filled("a folder or a name"))
      ->group(group)
      ->required();
  app.add_option("--dataset", o.dataset, "Folder that `lockstep prepare` wrote")
      ->check(filled("a folder"))
      ->group(group)
      ->required();
  app.add_option("--output_dir", o.output_dir, "Where the model, its card and the logs go")
      ->check(filled("a folder"))
      ->group(group);
  app.add_flag("--overwrite_output_dir", o.overwrite_output_dir, "Replace the results of an earlier run there")
      ->group(group);
  app.add_option("--train_split", o.train_split, "Split to train on")->check(filled("a split"))->group(group);
  app.add_option("--eval_split", o.eval_split, "Split to evaluate on; auto: validation, or else test")
      ->check(filled("a split, or auto"))
      ->group(group);
  app.add_option("--max_seq_length", o.max_seq_length, "Longer examples lose their end")
      ->check(whole_number(3, 1 << 20))
      ->group(group);
  app.add_option("--max_train_samples", o.max_train_samples,
                 "Train on this many, class-balanced, chosen by the seed; -1: all")
      ->check(count_or_all())
      ->group(group);
  app.add_option("--max_eval_samples", o.max_eval_samples, "Evaluate on this many, likewise; -1: all")
      ->check(count_or_all())
      ->group(group);
}

void add_batch_options(CLI::App& app, TrainOptions& o) {
  const auto group = "Batches and length of the run";
  app.add_option("--global_batch_size", o.global_batch_size,
                 "Examples per optimizer step over all ranks; 0: per device x ranks x accumulation")
      ->check(whole_number(0, kMost))
      ->group(group);
  app.add_option("--per_device_train_batch_size", o.per_device_train_batch_size,
                 "Examples per rank and micro-batch; not used with --global_batch_size")
      ->check(whole_number(1, 1000000))
      ->group(group);
  app.add_option("--per_device_eval_batch_size", o.per_device_eval_batch_size, "Examples per evaluation batch")
      ->check(whole_number(1, 1000000))
      ->group(group);
  app.add_option("--gradient_accumulation_steps", o.gradient_accumulation_steps,
                 "Micro-batches per optimizer step; with --global_batch_size, more of them need less memory")
      ->check(whole_number(1, 1000000))
      ->group(group);
  app.add_option("--num_train_epochs", o.num_train_epochs, "Epochs; a fraction ends in mid-epoch")
      ->check(number(0, 1e6))
      ->group(group);
  app.add_option("--max_steps", o.max_steps, "Optimizer steps; overrides the epochs if positive")
      ->check(whole_number(-1, kMost))
      ->group(group);
}

void add_optimizer_options(CLI::App& app, TrainOptions& o) {
  const auto group = "Optimizer and regularization";
  app.add_option("--learning_rate", o.learning_rate, "Peak rate of AdamW")->check(number(0, kAny))->group(group);
  app.add_option("--lr_scheduler_type", o.lr_scheduler_type, "linear, cosine, constant or constant_with_warmup")
      ->group(group)
      ->check(one_of({"linear", "cosine", "constant", "constant_with_warmup"}));
  app.add_option("--warmup_steps", o.warmup_steps, "Steps of warm-up; below 1: a ratio of all steps")
      ->check(number(0, 1e9))
      ->group(group);
  app.add_option("--weight_decay", o.weight_decay, "Decoupled; never on biases and LayerNorm")
      ->check(number(0, kAny))
      ->group(group);
  app.add_option("--adam_beta1", o.adam_beta1, "AdamW's beta1")->check(fraction())->group(group);
  app.add_option("--adam_beta2", o.adam_beta2, "AdamW's beta2")->check(fraction())->group(group);
  app.add_option("--adam_epsilon", o.adam_epsilon, "AdamW's epsilon")->check(number(kLeastEpsilon, kAny))->group(group);
  app.add_option("--max_grad_norm", o.max_grad_norm, "Clip the gradient's norm to this; 0: never")
      ->check(number(0, kAny))
      ->group(group);
  app.add_option("--dropout", o.dropout, "Hidden dropout; -1: as in config.json")
      ->check(fraction_or_default())
      ->group(group);
  app.add_option("--attention_dropout", o.attention_dropout, "Likewise, on attention probabilities")
      ->check(fraction_or_default())
      ->group(group);
  app.add_option("--seq_classif_dropout", o.seq_classif_dropout, "Likewise, before the classifier")
      ->check(fraction_or_default())
      ->group(group);
  app.add_option("--seed", o.seed, "Seed of the order, the subsets, the new classifier and dropout")
      ->check(whole_number(0))
      ->group(group);
}

void add_evaluation_options(CLI::App& app, TrainOptions& o) {
  const auto group = "Evaluation";
  app.add_option("--eval_strategy,--evaluation_strategy", o.eval_strategy, "no, epoch or steps")
      ->group(group)
      ->check(one_of({"no", "epoch", "steps"}));
  app.add_option("--eval_steps", o.eval_steps, "Steps between evaluations (steps); 0: as logging_steps")
      ->check(whole_number(0, kMost))
      ->group(group);
  app.add_option("--eval_ranks", o.eval_ranks, "Who evaluates: 0 (rank 0) or all")
      ->group(group)
      ->check(one_of({"0", "all"}));
  app.add_flag("--load_best_model_at_end", o.load_best_model_at_end, "OUTPUT_DIR keeps the best model, not the last")
      ->group(group);
  app.add_option("--metric_for_best_model", o.metric_for_best_model, "loss, accuracy, precision, recall or f1")
      ->group(group)
      ->transform(CLI::Transformer({{"eval_loss", "loss"},
                                    {"eval_accuracy", "accuracy"},
                                    {"eval_precision", "precision"},
                                    {"eval_recall", "recall"},
                                    {"eval_f1", "f1"}}))
      ->check(one_of({"loss", "accuracy", "precision", "recall", "f1"}));
  app.add_option("--early_stopping_patience", o.early_stopping_patience,
                 "Stop after this many evaluations without a better one; 0: never")
      ->check(whole_number(0, kMost))
      ->group(group);
  app.add_option("--early_stopping_threshold", o.early_stopping_threshold,
                 "Smallest improvement of the metric that counts")
      ->check(number(-kAny, kAny))
      ->group(group);
  app.add_option("--published_results", o.published_results,
                 "CSV of published results by epoch, printed beside ours; looked for beside --config, too")
      ->check(filled("a file"))
      ->group(group)
      ->type_name("FILE");
}

void add_checkpoint_options(CLI::App& app, TrainOptions& o) {
  const auto group = "Checkpoints";
  app.add_option("--save_strategy", o.save_strategy,
                 "When to save what a run goes on from, to OUTPUT_DIR/checkpoint-STEP: no, epoch or steps; if not no, "
                 "also at the end and on a request to stop")
      ->group(group)
      ->check(one_of({"no", "epoch", "steps"}));
  app.add_option("--save_steps", o.save_steps, "Steps between checkpoints (steps)")
      ->check(whole_number(1, kMost))
      ->group(group);
  app.add_option("--save_total_limit", o.save_total_limit,
                 "Keep this many newest checkpoints, and that of the best evaluation; 0: all")
      ->check(whole_number(0, kMost))
      ->group(group);
  app.add_option("--resume_from_checkpoint", o.resume_from_checkpoint,
                 "Go on from the newest valid checkpoint in OUTPUT_DIR: auto (or true) if there is any, must in any "
                 "case; or from that of a step, or from a folder; never (or false): start anew")
      ->transform(CLI::Transformer({{"true", "auto"}, {"True", "auto"}, {"false", "never"}, {"False", "never"}}))
      ->check(filled("auto, must, never, a step or a folder"))
      ->group(group);
  app.add_option("--allow_change", o.allow_change,
                 "Settings that may differ from the resumed run's, separated by commas")
      ->check(filled("settings, separated by commas"))
      ->group(group)
      ->type_name("KEYS");
}

void add_machine_options(CLI::App& app, TrainOptions& o) {
  app.add_option("--logging_steps", o.logging_steps, "Steps between log records")
      ->check(whole_number(1, kMost))
      ->group("Log");
  app.add_flag("--disable_tqdm", o.disable_tqdm, "No progress bar")->group("Log");
  app.add_option(
         "--profile", o.profile,
         "Write what every rank did when in this many steps, the first one left out, to OUTPUT_DIR/profile.json, "
         "which ui.perfetto.dev shows; 0: no")
      ->check(whole_number(0, kMost))
      ->group("Log");
  const auto group = "Machine";
  app.add_option("--device", o.device, "auto, cpu or cuda")->group(group)->check(one_of({"auto", "cpu", "cuda"}));
  app.add_flag("--bf16", o.bf16, "Mixed precision: layers compute in bf16, on fp32 parameters and gradients")
      ->group(group);
  app.add_option("--attn_implementation", o.attn_implementation,
                 "On GPUs: auto (with --bf16 fused kernels, where a trial at the start shows that they work; dropout "
                 "masks by rank and micro-batch), or eager (slow; the same masks for any number of ranks)")
      ->group(group)
      ->check(one_of({"auto", "eager"}));
  app.add_option("--threads", o.threads, "Threads per rank; 0: OMP_NUM_THREADS, or this rank's share of the cores")
      ->check(whole_number(0, 4096))
      ->group(group);
  app.add_option("--ddp_backend", o.ddp_backend, "What carries gradients: nccl, mpi, or auto: nccl between GPUs")
      ->group(group)
      ->check(one_of({"auto", "nccl", "mpi"}));
  app.add_option("--ddp_bucket_cap_mb", o.ddp_bucket_cap_mb, "Gradient bytes (MiB) that travel together")
      ->check(number(1e-6, 1e6))
      ->group(group);
  app.add_option("--ddp_comm_hook", o.ddp_comm_hook, "bf16: gradients are rounded to it to travel; no: they are not")
      ->group(group)
      ->check(one_of({"no", "bf16"}));
  app.add_option("--hang_timeout", o.hang_timeout,
                 "End the job when a rank makes no progress for this many seconds; auto (-1): the larger of 30 and ten "
                 "times the slowest recent step; off (0), as for a debugger: never")
      ->group(group)
      ->transform(CLI::Transformer({{"auto", "-1"}, {"off", "0"}}))
      ->check(hang_timeout_seconds());
}

/// `path`, or the file of that name beside the config file if only that exists.
std::string beside_config(const std::string& path, const std::string& config) {
  const auto beside = std::filesystem::path(config).parent_path() / path;
  return !path.empty() && !std::filesystem::exists(path) && std::filesystem::exists(beside) ? beside.string() : path;
}

/// An option that only works beside another one.
struct Dependence {
  const char* option;
  const char* on;
  std::vector<std::string> idle;  // values of `on` with which it does nothing
  const char* remedy;
};

const std::vector<Dependence> kDependences = {
    {"--save_steps", "--save_strategy", {"no", "epoch"}, "--save_strategy steps"},
    {"--save_total_limit", "--save_strategy", {"no"}, "--save_strategy steps (or epoch)"},
    {"--eval_steps", "--eval_strategy", {"no", "epoch"}, "--eval_strategy steps"},
    {"--metric_for_best_model", "--eval_strategy", {"no"}, "--eval_strategy epoch (or steps)"},
    {"--max_eval_samples", "--eval_strategy", {"no"}, "--eval_strategy epoch (or steps)"},
    {"--eval_ranks", "--eval_strategy", {"no"}, "--eval_strategy epoch (or steps)"},
    {"--published_results", "--eval_strategy", {"no"}, "--eval_strategy epoch (or steps)"},
    {"--early_stopping_threshold", "--early_stopping_patience", {"0"}, "--early_stopping_patience"},
    {"--allow_change", "--resume_from_checkpoint", {"never"}, "--resume_from_checkpoint auto (or must)"},
};

std::string value_of(const CLI::Option& option) {
  return option.count() > 0 ? option.results().back() : option.get_default_str();
}

/// A setting that the user believes to work, and that does nothing. Who gives the other option with it, or on the
/// command line to a config file that has both, means it so.
void require_effects(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (const Dependence& dependence : kDependences) {
    const CLI::Option& option = *app.get_option(dependence.option);
    const CLI::Option& other = *app.get_option(dependence.on);
    const bool is_idle = std::ranges::find(dependence.idle, value_of(other)) != dependence.idle.end();
    const bool is_meant = stands_in(arguments, option) ? stands_in(arguments, other) : other.count() > 0;
    if (option.count() > 0 && is_idle && !is_meant)
      throw UsageError(std::string(dependence.option) + " has no effect without " + dependence.remedy);
  }
}

/// A config file may hold both, as that of every run does: there the one over all ranks counts.
void require_one_batch_size(const CLI::App& app, const TrainOptions& o, const std::vector<std::string>& arguments) {
  if (o.global_batch_size > 0 && stands_in(arguments, *app.get_option("--per_device_train_batch_size")))
    throw UsageError("--per_device_train_batch_size has no effect with --global_batch_size " +
                     std::to_string(o.global_batch_size) +
                     "; leave it out, or add --global_batch_size 0. Less memory: more --gradient_accumulation_steps");
}

void check(const TrainOptions& o) {
  if (o.num_train_epochs == 0 && o.max_steps <= 0)
    throw UsageError("--num_train_epochs: found \"0\", expected more, or --max_steps");
  if (o.eval_strategy == "no" && (o.load_best_model_at_end || o.early_stopping_patience > 0))
    throw UsageError(
        "--load_best_model_at_end and --early_stopping_patience need evaluations: add --eval_strategy epoch");
}

}  // namespace

std::unique_ptr<CLI::App> make_train_app(TrainOptions& options) {
  auto app = make_app("lockstep train", "Fine-tunes a DistilBERT classifier, on one rank or several (lockstep launch).",
                      kTrainFooter);
  accept_config_file(*app, options.config);
  add_data_options(*app, options);
  add_batch_options(*app, options);
  add_optimizer_options(*app, options);
  add_evaluation_options(*app, options);
  add_checkpoint_options(*app, options);
  add_machine_options(*app, options);
  return app;
}

TrainOptions parse_train_options(const std::vector<std::string>& arguments, std::string* effective) {
  TrainOptions options;
  const auto app = make_train_app(options);
  parse_command_line(*app, arguments);
  check(options);
  require_effects(*app, arguments);
  require_one_batch_size(*app, options, arguments);
  options.published_results = beside_config(options.published_results, options.config);
  if (options.eval_steps <= 0) options.eval_steps = options.logging_steps;
  if (effective) *effective = app->config_to_str(true, false);
  return options;
}

}  // namespace lockstep
