#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

/// Everything `lockstep train` can be told. Names and defaults are Hugging Face Trainer's where it has the option;
/// docs/huggingface.md lists the deviations.
struct TrainOptions {
  std::string config;  // the file that some of the settings came from, if any

  // Model and data
  std::string model_name_or_path;
  std::string dataset;
  std::string output_dir = "trainer_output";
  bool overwrite_output_dir = false;
  std::string train_split = "train";
  std::string eval_split = "auto";  // validation if the data set has it, else test
  int max_seq_length = 512;
  int64_t max_train_samples = -1;
  int64_t max_eval_samples = -1;

  // Batches
  int64_t global_batch_size = 0;  // 0: per_device_train_batch_size x ranks x gradient_accumulation_steps
  int64_t per_device_train_batch_size = 8;
  int64_t per_device_eval_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  double num_train_epochs = 3;
  int64_t max_steps = -1;

  // Optimizer
  double learning_rate = 5e-5;
  std::string lr_scheduler_type = "linear";
  double warmup_steps = 0;  // below 1: a ratio of all steps
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;
  double dropout = -1;  // < 0: as the model's config.json says
  double attention_dropout = -1;
  double seq_classif_dropout = -1;
  uint64_t seed = 42;

  // Evaluation
  std::string eval_strategy = "no";
  int64_t eval_steps = 0;  // 0: as logging_steps
  std::string eval_ranks = "0";
  bool load_best_model_at_end = false;
  std::string metric_for_best_model = "loss";
  int64_t early_stopping_patience = 0;  // 0: off
  double early_stopping_threshold = 0;
  std::string published_results;

  // Checkpoints
  std::string save_strategy = "no";
  int64_t save_steps = 500;
  int64_t save_total_limit = 0;  // 0: all
  std::string resume_from_checkpoint = "never";
  std::string allow_change;  // settings that may differ from the resumed run's, by commas

  // Log
  int64_t logging_steps = 500;
  bool disable_tqdm = false;
  int64_t profile = 0;  // steps to write to profile.json

  // Machine
  std::string device = "auto";
  bool bf16 = false;
  std::string attn_implementation = "auto";  // on GPUs: fused kernels, or eager
  int threads = 0;                           // 0: this rank's share of the cores
  std::string ddp_backend = "auto";          // nccl on GPUs, mpi on CPUs
  double ddp_bucket_cap_mb = 25;
  std::string ddp_comm_hook = "no";  // what gradients travel in: no (fp32), or bf16
  double hang_timeout = -1;          // seconds; 0: off, -1: by the time of the steps
};

/// The command's parser, bound to `options`.
std::unique_ptr<CLI::App> make_train_app(TrainOptions& options);

/// Parses and checks; throws UsageError or HelpRequested. `effective` gets the settings as a config file with every
/// key, from which the same run can be started again.
TrainOptions parse_train_options(const std::vector<std::string>& arguments, std::string* effective);

}  // namespace lockstep
