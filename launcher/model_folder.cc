#include "launcher/model_folder.h"

#include <algorithm>
#include <random>

#include "data/atomic_file.h"
#include "data/spelling.h"
#include "data/tokenizer_files.h"
#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

bool is_generic(const std::vector<std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(),
                     [](const std::string& label) { return label.starts_with("LABEL_"); });
}

/// An empty folder that is gone with the object: a disk that filled up while it was written gets its space back.
class Staging {
 public:
  explicit Staging(fs::path path) : path_(std::move(path)) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void require_classifier(const model::LoadReport& found, const model::DistilBertConfig& config, const fs::path& folder) {
  if (found.newly_initialized.empty()) return;
  if (found.leaves_bert_classifier())
    throw SettingsError(folder.string() +
                        ": the classifier of a BERT cannot be used here, since DistilBERT has no pooler before it; "
                        "train a new one (lockstep train)");
  if (!found.misfit.empty())
    throw SettingsError((folder / "model.safetensors").string() + ": " + found.misfit + ", config.json says " +
                        counted(config.num_labels(), "label") + "; its id2label has to name each");
  throw SettingsError(folder.string() + " has no classifier: it is a base model; fine-tune it first (lockstep train)");
}

}  // namespace

void require_fitting(const data::DatasetManifest& dataset, const data::WordPieceTokenizer& tokenizer,
                     const model::DistilBertConfig& config, int max_seq_length) {
  const auto refuse = [](const std::string& what) {
    throw SettingsError(what + "; prepare the data set again with --model pointing at this model's folder");
  };
  if (dataset.vocabulary_sha256 != tokenizer.vocabulary().sha256())
    refuse("the data set was made with another vocabulary (sha256 " + dataset.vocabulary_sha256.substr(0, 12) +
           ") than the model's (" + tokenizer.vocabulary().sha256().substr(0, 12) + ")");
  if (!(dataset.tokenizer == tokenizer.options()))
    refuse("the data set was made with other casing, accent or CJK options than the model's tokenizer has");
  if (dataset.vocabulary_size > config.vocab_size)
    refuse("the vocabulary has " + std::to_string(dataset.vocabulary_size) + " tokens, but the model embeds only " +
           std::to_string(config.vocab_size));
  const int longest = std::min(max_seq_length, dataset.max_length);
  if (longest > config.max_position_embeddings)
    throw SettingsError("sequences of up to " + std::to_string(longest) + " tokens do not fit the model's " +
                        std::to_string(config.max_position_embeddings) + " positions; add --max_seq_length " +
                        std::to_string(config.max_position_embeddings));
}

void take_labels(model::DistilBertConfig& config, const data::DatasetManifest& dataset) {
  const bool same_names =
      std::is_permutation(config.labels.begin(), config.labels.end(), dataset.labels.begin(), dataset.labels.end());
  if (!is_generic(config.labels) && same_names && config.labels != dataset.labels)
    throw SettingsError("the model's labels are " + data::listed(config.labels) + " and the data set's " +
                        data::listed(dataset.labels) +
                        ": the same names in another order would train every label wrong");
  config.labels = dataset.labels;
}

model::DistilBert load_classifier(const model::DistilBertConfig& config, const fs::path& folder) {
  if (config.num_labels() == 1)
    throw SettingsError((folder / "config.json").string() +
                        " has one label: a model that gives a score is not a classifier; train one from it (lockstep "
                        "train)");
  require_classifier(model::examine_weights(config, folder), config, folder);
  model::DistilBert model(config, "cpu");
  model::load_weights(model, folder, 0);
  return model;
}

std::map<std::string, std::string> model_files(const model::DistilBertConfig& config,
                                               const data::WordPieceTokenizer& tokenizer) {
  auto files = data::tokenizer_files(tokenizer, static_cast<int>(config.max_position_embeddings));
  files.emplace("config.json", model::config_json(config));
  return files;
}

void write_model_files(const model::DistilBert& model, const data::WordPieceTokenizer& tokenizer,
                       const fs::path& folder, const FolderOwner& owner) {
  std::random_device random;
  const Staging staging(folder / formatted(".model-part-%08x", random()));
  model::save_weights(model, staging.path());
  data::write_tokenizer_files(tokenizer, static_cast<int>(model.config().max_position_embeddings), staging.path());
  for (const auto& entry : fs::directory_iterator(staging.path()))
    data::flush_to_disk(entry.path());
  owner.require();
  for (const auto& entry : fs::directory_iterator(staging.path()))
    fs::rename(entry.path(), folder / entry.path().filename());
  data::flush_to_disk(folder);
}

}  // namespace lockstep
