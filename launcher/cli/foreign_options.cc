#include "launcher/cli/foreign_options.h"

#include <array>

namespace lockstep {

namespace {

struct ForeignOption {
  std::string_view command, name, words;
};

constexpr auto kForeignOptions = std::to_array<ForeignOption>({
    {"train", "train_batch_size", "here --per_device_train_batch_size, or --global_batch_size over all ranks"},
    {"train", "batch_size", "here --per_device_train_batch_size, or --global_batch_size over all ranks"},
    {"train", "eval_batch_size", "here --per_device_eval_batch_size"},
    {"train", "lr", "here --learning_rate"},
    {"train", "epochs", "here --num_train_epochs"},
    {"train", "max_epochs", "here --num_train_epochs"},
    {"train", "warmup_ratio", "here --warmup_steps below 1"},
    {"train", "data_seed", "here --seed, which the order of examples follows, too"},
    {"train", "max_length", "here --max_seq_length"},
    {"train", "use_cpu", "here --device cpu"},
    {"train", "no_cuda", "here --device cpu"},
    {"train", "fp16", "there is no fp16; --bf16 needs no scaling of the loss"},
    {"train", "tf32", "there is none: layers compute in fp32, or with --bf16 in bf16"},
    {"train", "train_file", "texts are read once, by lockstep prepare; --dataset names its folder"},
    {"train", "validation_file", "texts are read once, by lockstep prepare; --dataset names its folder"},
    {"train", "test_file", "texts are read once, by lockstep prepare; --dataset names its folder"},
    {"train", "dataset_name", "texts are read once, by lockstep prepare; --dataset names its folder"},
    {"train", "text_column", "an option of lockstep prepare"},
    {"train", "label_column", "an option of lockstep prepare"},
    {"train", "overwrite_cache", "here --overwrite of lockstep prepare"},
    {"train", "local_rank", "ranks are started by lockstep launch -n N -- train ..."},
    {"train", "nproc_per_node", "ranks are started by lockstep launch -n N -- train ..."},
    {"train", "do_train", "not needed: train trains"},
    {"train", "do_eval", "not needed: --eval_strategy says when; afterwards lockstep evaluate"},
    {"train", "do_predict", "not needed: afterwards lockstep predict"},
    {"train", "logging_dir", "there is no TensorBoard; metrics.jsonl in --output_dir has the figures"},
    {"train", "report_to", "there is no TensorBoard and no W&B; metrics.jsonl in --output_dir has the figures"},
    {"train", "run_name", "not needed: --output_dir names the run"},
    {"train", "logging_strategy", "here --logging_steps alone"},
    {"train", "group_by_length", "not needed: there is no padding"},
    {"train", "pad_to_max_length", "not needed: there is no padding"},
    {"train", "eval_accumulation_steps", "not needed: an evaluation keeps counts, not logits"},
    {"train", "dataloader_num_workers", "not needed: the tokens are in memory"},
    {"train", "dataloader_drop_last", "there is none: every example comes once per epoch"},
    {"train", "remove_unused_columns", "not needed: a data set has texts and labels alone"},
    {"train", "save_safetensors", "not needed: it is always so"},
    {"train", "greater_is_better", "not needed: --metric_for_best_model says it, loss is the only one to fall"},
    {"train", "gradient_checkpointing", "there is none; --gradient_accumulation_steps saves memory"},
    {"train", "label_smoothing_factor", "there is no label smoothing"},
    {"train", "optim", "there is AdamW alone"},
    {"train", "torch_compile", "there is none, and no Python to compile"},
    {"train", "fsdp", "not needed: each rank has the whole model"},
    {"train", "deepspeed", "not needed: each rank has the whole model"},
    {"train", "push_to_hub", "there is none: nothing is sent anywhere; --output_dir is ready for hf upload"},
    {"train", "save_only_model", "there is none; lockstep export makes a model of a checkpoint"},
    {"train", "full_determinism", "not needed: the same ranks and threads give the same bits"},
    {"train", "ddp_find_unused_parameters", "not needed: every parameter is used"},
    {"train", "dataloader_pin_memory", "not needed: the tokens are in memory"},
    {"train", "eval_delay", "there is none; --eval_strategy and --eval_steps say when"},
    {"train", "eval_on_start", "there is none; lockstep evaluate tells of a model before its training"},
    {"train", "logging_first_step", "there is none; here --logging_steps alone"},
    {"train", "log_level", "there is none; --disable_tqdm makes it quieter"},
    {"train", "label_names", "not needed: lockstep prepare keeps the names of labels"},
    {"train", "hub_model_id", "nothing is sent anywhere; --output_dir is ready for hf upload"},
    {"prepare", "val_file", "here --validation_file"},
    {"prepare", "eval_file", "here --validation_file"},
    {"prepare", "dev_file", "here --validation_file"},
    {"prepare", "test_size", "here --validation_fraction"},
    {"prepare", "validation_split_percentage", "here --validation_fraction"},
    {"prepare", "dataset_name",
     "save it first: load_dataset(NAME)[\"train\"].to_json(\"train.jsonl\"), then --train_file train.jsonl"},
    {"prepare", "max_train_samples", "an option of lockstep train"},
    {"prepare", "max_eval_samples", "an option of lockstep train"},
    {"prepare", "preprocessing_num_workers", "here --threads"},
    {"prepare", "overwrite_cache", "here --overwrite"},
    {"evaluate", "batch_size", "here --per_device_eval_batch_size"},
    {"evaluate", "eval_batch_size", "here --per_device_eval_batch_size"},
    {"evaluate", "eval_split", "here --split"},
    {"launch", "nproc_per_node", "here -n"},
    {"launch", "num_processes", "here -n"},
    {"launch", "nnodes", "here --hosts a:4,b:4, or --slurm --nodes N"},
    {"launch", "hostfile", "here --hosts a:4,b:4"},
    {"launch", "partition", "export SBATCH_PARTITION, or the top of slurm/train.sbatch"},
    {"launch", "account", "export SBATCH_ACCOUNT, or the top of slurm/train.sbatch"},
    {"launch", "qos", "export SBATCH_QOS, or the top of slurm/train.sbatch"},
    {"launch", "mem", "the top of slurm/train.sbatch"},
});

}  // namespace

std::string counterpart_of(std::string_view command, std::string_view option) {
  for (const ForeignOption& foreign : kForeignOptions)
    if (foreign.command == command && foreign.name == option) return std::string(foreign.words);
  return "";
}

}  // namespace lockstep
