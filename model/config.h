#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::model {

/// That config.json may name.
inline constexpr int64_t kMostLabels = 1 << 16;

enum class Activation { kGelu, kRelu };  // kGelu is the exact one: x * (1 + erf(x / sqrt 2)) / 2

/// Hugging Face's DistilBertConfig; defaults are distilbert-base-uncased's.
struct DistilBertConfig {
  int64_t vocab_size = 30522;
  int64_t max_position_embeddings = 512;
  int64_t n_layers = 6;
  int64_t n_heads = 12;
  int64_t dim = 768;
  int64_t hidden_dim = 3072;
  Activation activation = Activation::kGelu;
  double dropout = 0.1;              // after the embeddings and after each feed-forward
  double attention_dropout = 0.1;    // on attention probabilities
  double seq_classif_dropout = 0.2;  // before the classifier
  double initializer_range = 0.02;
  bool sinusoidal_pos_embds = false;
  int64_t pad_token_id = 0;
  std::vector<std::string> labels = {"LABEL_0", "LABEL_1"};  // id2label, by id

  int64_t num_labels() const { return static_cast<int64_t>(labels.size()); }
  int64_t head_dim() const { return dim / n_heads; }
};

/// Multiplications and additions of one forward pass over one example of `length` tokens: per layer and token, four
/// projections (8 dim^2), the feed-forward (4 dim hidden_dim) and attention (4 length dim). In the last layer only the
/// first token has more than a key and a value. What ranks' shares are balanced by.
double arithmetic_of(const DistilBertConfig& config, int64_t length);

/// LayerNorm's epsilon, fixed in DistilBERT's code.
inline constexpr double kLayerNormEpsilon = 1e-12;

/// Reads config.json of a DistilBERT folder, or of a BERT folder such as MiniLM's, mapping its names
/// (hidden_size -> dim, ...). Throws ModelFileError (damaged) or ModelContractError (another architecture, an unknown
/// activation, dim not divisible by n_heads), naming file and key.
DistilBertConfig load_config(const std::filesystem::path& folder);
/// The same of the file's text; `where` leads the errors.
DistilBertConfig parse_config(std::string_view text, const std::string& where);
/// config.json as `AutoModelForSequenceClassification.from_pretrained` wants it.
std::string config_json(const DistilBertConfig& config);

}  // namespace lockstep::model
