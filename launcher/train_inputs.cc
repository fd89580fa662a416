#include "launcher/train_inputs.h"

#include "data/sampler.h"
#include "data/sha256.h"
#include "launcher/errors.h"
#include "launcher/model_folder.h"

namespace lockstep {

namespace {

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

void load_data(TrainInputs& in) {
  const TrainOptions& options = in.options;
  in.data.train = data::ShardedDataset::open(options.dataset, options.train_split);
  in.data.train_examples = data::balanced_subset(in.data.train.labels(), options.max_train_samples, options.seed);
  in.eval_split = choose_eval_split(options, in.data.train.manifest());
  if (in.eval_split.empty()) return;
  in.data.eval = data::ShardedDataset::open(options.dataset, in.eval_split);
  in.data.eval_examples = data::balanced_subset(in.data.eval.labels(), options.max_eval_samples, options.seed);
}

}  // namespace

void load_inputs(TrainInputs& in, const Job& job) {
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
  if (in.options.bf16) require_bfloat16(in.device);
  in.backend = choose_gradient_backend(in.options.ddp_backend, in.device, job.world_size());
}

std::string identity_of(const TrainInputs& in) {
  const auto manifest = data::to_json(in.data.train.manifest());
  return in.settings + "\ndata_set_sha256 = " + data::sha256_of(manifest) +
         "\ndevice_kind = " + in.device.substr(0, in.device.find(':')) + "\n";
}

}  // namespace lockstep
