#include "launcher/train/train_inputs.h"

#include <functional>
#include <sstream>

#include "data/labels.h"
#include "data/sampler.h"
#include "data/sha256.h"
#include "data/utf8.h"
#include "launcher/errors.h"
#include "launcher/find_model_folder.h"
#include "launcher/format.h"
#include "launcher/model_folder.h"

namespace lockstep {

static_assert(data::kMostLabels <= model::kMostLabels, "a trained model must be one that can be read");

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

/// "cuda" of "cuda:1".
std::string kind_of(const std::string& device) {
  return device.substr(0, device.find(':'));
}

std::string unquoted(const std::string& value) {
  return value.size() >= 2 && value.front() == '"' && value.back() == '"' ? value.substr(1, value.size() - 2) : value;
}

/// Of "key=value" lines.
RunFacts parse_settings(const std::string& text) {
  RunFacts settings;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const size_t equal = line.find('='); equal != std::string::npos)
      settings[line.substr(0, equal)] = unquoted(line.substr(equal + 1));
  for (const char* of_this_start : {"resume_from_checkpoint", "allow_change"})
    settings.erase(of_this_start);
  return settings;
}

/// Checkpoints and reports are JSON, which holds nothing else.
void require_utf8(const std::string& settings) {
  std::istringstream lines(settings);
  for (std::string line; std::getline(lines, line);) {
    int64_t replacements = 0;
    const std::string readable = data::to_valid_utf8(line, &replacements);
    if (replacements > 0)
      throw SettingsError(readable +
                          ": found bytes that are not UTF-8, expected a name in UTF-8; rename the file or "
                          "folder, or give a link to it");
  }
}

void load_data(TrainInputs& in, const std::function<void()>& on_progress) {
  const TrainOptions& options = in.options;
  in.data.train = data::ShardedDataset::open(options.dataset, options.train_split, on_progress);
  in.data.train_examples = data::balanced_subset(in.data.train.labels(), options.max_train_samples, options.seed);
  in.eval_split = choose_eval_split(options, in.data.train.manifest());
  if (in.eval_split.empty()) return;
  in.data.eval = data::ShardedDataset::open(options.dataset, in.eval_split, on_progress);
  in.data.eval_examples = data::balanced_subset(in.data.eval.labels(), options.max_eval_samples, options.seed);
}

}  // namespace

void load_inputs(TrainInputs& in, Job& job) {
  require_utf8(in.settings);
  load_data(in, [&] { job.activity().progress(); });
  in.model_folder = find_weights_folder(in.options.model_name_or_path);
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

RunFacts facts_of(const TrainInputs& in, int world_size) {
  RunFacts facts = parse_settings(in.settings);
  const data::DatasetManifest& manifest = in.data.train.manifest();
  facts["data_set_sha256"] = data::sha256_of(data::to_json(manifest));
  facts["vocabulary_sha256"] = manifest.vocabulary_sha256;
  facts["train_examples"] = std::to_string(in.data.train_examples.size());
  facts["global_batch"] = std::to_string(in.plan.global_batch);
  facts["effective_dropout"] =
      formatted("%g, %g, %g", in.config.dropout, in.config.attention_dropout, in.config.seq_classif_dropout);
  // What config.json says beyond the shapes of the tensors.
  facts["architecture"] = formatted("%lld heads, %s", static_cast<long long>(in.config.n_heads),
                                    in.config.activation == model::Activation::kGelu ? "gelu" : "relu");
  if (in.options.eval_strategy == "steps") facts["eval_steps"] = std::to_string(in.options.eval_steps);
  facts["device_kind"] = kind_of(in.device);
  facts["ranks"] = std::to_string(world_size);
  facts["threads_per_rank"] = std::to_string(in.threads.per_rank);
  facts["program"] = LOCKSTEP_VERSION;
  return facts;
}

RunFacts with_defaults(RunFacts saved) {
  TrainOptions defaults;
  for (const auto& [option, value] : parse_settings(make_train_app(defaults)->config_to_str(true, false)))
    saved.try_emplace(option, value);
  return saved;
}

std::string identity_of(const TrainInputs& in) {
  const auto manifest = data::to_json(in.data.train.manifest());
  return in.settings + "\ndata_set_sha256 = " + data::sha256_of(manifest) + "\ndevice_kind = " + kind_of(in.device) +
         "\n";
}

}  // namespace lockstep
