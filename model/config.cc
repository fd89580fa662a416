#include "model/config.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "model/error.h"
#include "model/json_file.h"

namespace lockstep::model {
namespace {

using nlohmann::json;

/// Far above any real model, far below what makes the layout's products overflow.
constexpr int64_t kLargestSize = 1 << 24;
constexpr int64_t kMostLayers = 1000;
constexpr int64_t kMaxFileBytes = 16 << 20;  // with the most labels it has 4 MB

/// config.json with checked access: every complaint names the file and the key.
class Reader {
 public:
  Reader(json object, std::string where) : object_(std::move(object)), where_(std::move(where)) {}

  [[noreturn]] void refuse(const std::string& key, const std::string& what) const {
    throw ModelContractError(where_ + ": \"" + key + "\": " + what);
  }
  bool has(const std::string& key) const { return object_.contains(key) && !object_[key].is_null(); }
  const json& raw(const std::string& key) const { return object_[key]; }

  int64_t size(const std::string& key, int64_t fallback, int64_t most = kLargestSize) const {
    if (!has(key)) return fallback;
    const json& value = object_[key];
    if (!value.is_number_integer()) damaged(key, "expected an integer", value);
    if (value < 1 || value > most) refuse(key, "found " + excerpt(value) + ", expected 1 to " + std::to_string(most));
    return value.get<int64_t>();
  }
  double number(const std::string& key, double fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_number()) damaged(key, "expected a number", object_[key]);
    return object_[key].get<double>();
  }
  double rate(const std::string& key, double fallback) const {
    const double value = number(key, fallback);
    if (!(value >= 0 && value < 1)) refuse(key, "found " + std::to_string(value) + ", expected 0 <= rate < 1");
    return value;
  }
  bool flag(const std::string& key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_boolean()) damaged(key, "expected true or false", object_[key]);
    return object_[key].get<bool>();
  }
  std::string text(const std::string& key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    if (!object_[key].is_string()) damaged(key, "expected a string", object_[key]);
    return object_[key].get<std::string>();
  }
  [[noreturn]] void damaged(const std::string& key, const std::string& expected, const json& found) const {
    throw ModelFileError(where_ + ": \"" + key + "\": " + expected + ", found " + excerpt(found));
  }

 private:
  json object_;
  std::string where_;
};

Activation activation_of(const Reader& file, const std::string& key) {
  const std::string name = file.text(key, "gelu");
  if (name == "gelu") return Activation::kGelu;
  if (name == "relu") return Activation::kRelu;
  file.refuse(key, "the activation \"" + name + "\" is not supported; supported are \"gelu\" (exact) and \"relu\"");
}

std::vector<std::string> labels_of(const Reader& file) {
  if (!file.has("id2label")) {
    std::vector<std::string> labels;
    const int64_t count = file.size("num_labels", 2, kMostLabels);
    for (int64_t i = 0; i < count; ++i)
      labels.push_back("LABEL_" + std::to_string(i));
    return labels;
  }
  const json& names = file.raw("id2label");
  if (!names.is_object() || names.empty()) file.damaged("id2label", "expected an object of names", names);
  if (std::ssize(names) > kMostLabels)
    file.refuse("id2label", "it has " + std::to_string(names.size()) + " names, expected at most 65536");
  std::vector<std::string> labels;
  for (size_t id = 0; id < names.size(); ++id) {
    const auto name = names.find(std::to_string(id));
    if (name == names.end() || !name->is_string())
      file.damaged("id2label", "expected a name for each of the ids 0 to " + std::to_string(names.size() - 1), names);
    labels.push_back(name->get<std::string>());
  }
  return labels;
}

int64_t padding_of(const Reader& file, int64_t vocab_size) {
  if (!file.has("pad_token_id")) return 0;
  const json& id = file.raw("pad_token_id");
  if (!id.is_number_integer()) file.damaged("pad_token_id", "expected an integer", id);
  if (id < 0 || id >= vocab_size)
    file.refuse("pad_token_id", "found " + excerpt(id) + ", expected an id below vocab_size");
  return id.get<int64_t>();
}

void read_distilbert(const Reader& file, DistilBertConfig& config) {
  config.n_layers = file.size("n_layers", config.n_layers, kMostLayers);
  config.n_heads = file.size("n_heads", config.n_heads);
  config.dim = file.size("dim", config.dim);
  config.hidden_dim = file.size("hidden_dim", config.hidden_dim);
  config.activation = activation_of(file, "activation");
  config.dropout = file.rate("dropout", config.dropout);
  config.attention_dropout = file.rate("attention_dropout", config.attention_dropout);
  config.seq_classif_dropout = file.rate("seq_classif_dropout", config.seq_classif_dropout);
  config.sinusoidal_pos_embds = file.flag("sinusoidal_pos_embds", false);
}

/// BERT's names and BERT's defaults (bert-base).
void read_bert(const Reader& file, DistilBertConfig& config) {
  if (file.text("position_embedding_type", "absolute") != "absolute")
    file.refuse("position_embedding_type", "only \"absolute\" can become a DistilBERT");
  if (file.flag("is_decoder", false)) file.refuse("is_decoder", "a decoder cannot become a DistilBERT");
  if (file.number("layer_norm_eps", kLayerNormEpsilon) != kLayerNormEpsilon)
    file.refuse("layer_norm_eps", "DistilBERT's is 1e-12, found " + excerpt(file.raw("layer_norm_eps")));
  config.n_layers = file.size("num_hidden_layers", 12, kMostLayers);
  config.n_heads = file.size("num_attention_heads", 12);
  config.dim = file.size("hidden_size", 768);
  config.hidden_dim = file.size("intermediate_size", 3072);
  config.activation = activation_of(file, "hidden_act");
  config.dropout = file.rate("hidden_dropout_prob", config.dropout);
  config.attention_dropout = file.rate("attention_probs_dropout_prob", config.attention_dropout);
  config.seq_classif_dropout = file.rate("classifier_dropout", config.seq_classif_dropout);
}

/// id2label and label2id, in the order of ids; of labels that are alike the last one has the name. Each access of
/// ordered_json's own looks through all that is there, which takes minutes for as many labels as there may be.
std::pair<nlohmann::ordered_json, nlohmann::ordered_json> names_and_ids(const std::vector<std::string>& labels) {
  nlohmann::ordered_json::object_t names, ids;
  std::unordered_map<std::string_view, size_t> places;  // in `ids`
  for (size_t id = 0; id < labels.size(); ++id) {
    names.emplace_back(std::to_string(id), labels[id]);
    const auto [place, is_new] = places.try_emplace(labels[id], ids.size());
    if (is_new)
      ids.emplace_back(labels[id], id);
    else
      std::next(ids.begin(), static_cast<int64_t>(place->second))->second = id;
  }
  return {std::move(names), std::move(ids)};
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw ModelFileError(path.string() + ": cannot be opened; expected a Hugging Face model folder with a config.json");
  std::error_code unknown;  // of what is no plain file
  const uintmax_t size = std::filesystem::file_size(path, unknown);
  std::string text(std::min<uintmax_t>(size, kMaxFileBytes) + 1, '\0');
  file.read(text.data(), std::ssize(text));
  text.resize(static_cast<size_t>(file.gcount()));
  if (std::ssize(text) > kMaxFileBytes)
    throw ModelFileError(path.string() + ": has more than " + std::to_string(kMaxFileBytes) + " bytes");
  return text;
}

}  // namespace

DistilBertConfig load_config(const std::filesystem::path& folder) {
  const auto path = folder / "config.json";
  return parse_config(read_text(path), path.string());
}

DistilBertConfig parse_config(std::string_view text, const std::string& where) {
  const Reader file(parse_json_object(text, where), where);
  DistilBertConfig config;
  config.vocab_size = file.size("vocab_size", config.vocab_size);
  const std::string type = file.text("model_type", "");
  if (type == "distilbert") {
    read_distilbert(file, config);
  } else if (type == "bert") {
    read_bert(file, config);
  } else {
    file.refuse("model_type", "found \"" + type + "\", expected \"distilbert\" or \"bert\"");
  }
  config.max_position_embeddings = file.size("max_position_embeddings", config.max_position_embeddings);
  config.initializer_range = file.number("initializer_range", config.initializer_range);
  config.pad_token_id = padding_of(file, config.vocab_size);
  config.labels = labels_of(file);
  if (config.dim % config.n_heads != 0)
    file.refuse("dim",
                std::to_string(config.dim) + " is not divisible by the " + std::to_string(config.n_heads) + " heads");
  if (file.text("problem_type", "single_label_classification") != "single_label_classification")
    file.refuse("problem_type",
                "found " + excerpt(file.raw("problem_type")) + ", supported is \"single_label_classification\"");
  return config;
}

std::string config_json(const DistilBertConfig& config) {
  const auto [id2label, label2id] = names_and_ids(config.labels);
  const nlohmann::ordered_json object = {
      {"activation", config.activation == Activation::kGelu ? "gelu" : "relu"},
      {"architectures", {"DistilBertForSequenceClassification"}},
      {"attention_dropout", config.attention_dropout},
      {"bos_token_id", nullptr},
      {"dim", config.dim},
      {"dropout", config.dropout},
      {"dtype", "float32"},
      {"eos_token_id", nullptr},
      {"hidden_dim", config.hidden_dim},
      {"id2label", id2label},
      {"initializer_range", config.initializer_range},
      {"label2id", label2id},
      {"max_position_embeddings", config.max_position_embeddings},
      {"model_type", "distilbert"},
      {"n_heads", config.n_heads},
      {"n_layers", config.n_layers},
      {"pad_token_id", config.pad_token_id},
      {"problem_type", "single_label_classification"},
      {"qa_dropout", 0.1},
      {"seq_classif_dropout", config.seq_classif_dropout},
      {"sinusoidal_pos_embds", config.sinusoidal_pos_embds},
      {"tie_word_embeddings", true},
      {"vocab_size", config.vocab_size},
  };
  return object.dump(2) + "\n";
}

double arithmetic_of(const DistilBertConfig& config, int64_t length) {
  const auto dim = static_cast<double>(config.dim), hidden = static_cast<double>(config.hidden_dim);
  const auto tokens = static_cast<double>(length), layers = static_cast<double>(config.n_layers);
  const double rest_of_row = 4 * dim * dim + 4 * dim * hidden + 4 * tokens * dim;  // all but its key and value
  const double keys_and_values = 4 * dim * dim * tokens;
  return layers * keys_and_values + ((layers - 1) * tokens + 1) * rest_of_row;
}

}  // namespace lockstep::model
