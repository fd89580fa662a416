#include "model/weights.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <set>
#include <system_error>

#include "model/error.h"
#include "model/initialize.h"
#include "model/safetensors.h"

namespace lockstep::model {
namespace {

namespace fs = std::filesystem;
constexpr const char* kTokenTypes = "embeddings.token_type_embeddings.weight";
constexpr const char* kPositions = "distilbert.embeddings.position_embeddings.weight";

/// (BERT's part of a name, DistilBERT's).
constexpr std::pair<const char*, const char*> kBertNames[] = {
    {"attention.self.query.", "attention.q_lin."},
    {"attention.self.key.", "attention.k_lin."},
    {"attention.self.value.", "attention.v_lin."},
    {"attention.output.dense.", "attention.out_lin."},
    {"attention.output.LayerNorm.", "sa_layer_norm."},
    {"intermediate.dense.", "ffn.lin1."},
    {"output.dense.", "ffn.lin2."},
    {"output.LayerNorm.", "output_layer_norm."},
};

std::string without_prefix(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

/// Checkpoints that came from TensorFlow call LayerNorm's weight gamma and its bias beta.
std::string modern(std::string name) {
  if (name.ends_with("LayerNorm.gamma")) name.replace(name.size() - 5, 5, "weight");
  if (name.ends_with("LayerNorm.beta")) name.replace(name.size() - 4, 4, "bias");
  return name;
}

/// "encoder.layer.3.output.dense.bias" -> "transformer.layer.3.ffn.lin2.bias"; the embeddings keep their names.
std::string distilbert_name(const std::string& bert_name) {
  const std::string prefix = "encoder.layer.";
  if (!bert_name.starts_with(prefix)) return bert_name;
  const size_t dot = bert_name.find('.', prefix.size());
  if (dot == std::string::npos) return bert_name;
  const std::string number = bert_name.substr(prefix.size(), dot - prefix.size());
  const std::string rest = bert_name.substr(dot + 1);
  for (const auto& [theirs, ours] : kBertNames)
    if (rest.starts_with(theirs)) return "transformer.layer." + number + "." + ours + without_prefix(rest, theirs);
  return bert_name;
}

/// model.safetensors of a folder, its tensors under our parameters' names.
class Checkpoint {
 public:
  explicit Checkpoint(const fs::path& folder) : path_(folder / "model.safetensors"), file_(open(folder, path_)) {
    for (const auto& [name, view] : file_.tensors())
      if (modern(without_prefix(name, "bert.")) == kTokenTypes) token_types_ = name;
    for (const auto& [name, view] : file_.tensors())
      if (name != token_types_) names_.emplace(our_name(name), name);
  }

  bool is_bert() const { return !token_types_.empty(); }
  const std::string* find(const std::string& ours) const {
    const auto found = names_.find(ours);
    return found == names_.end() ? nullptr : &found->second;
  }
  const std::vector<int64_t>& shape(const std::string& theirs) const { return file_.tensors().at(theirs).shape; }
  std::vector<std::string> names_but(const std::set<std::string>& used) const {
    std::vector<std::string> names;
    for (const auto& [ours, theirs] : names_)
      if (!used.contains(theirs)) names.push_back(theirs);
    std::sort(names.begin(), names.end());
    return names;
  }

  std::vector<float> values(const ParameterSlot& slot, const std::string& theirs) const {
    std::vector<float> values = file_.floats(theirs);
    if (is_bert() && slot.name == kPositions) add_token_type(values, slot.shape[1]);
    return values;
  }
  [[noreturn]] void refuse(const std::string& what) const { throw ModelContractError(path_.string() + ": " + what); }
  void require_shape(const std::string& theirs, const std::vector<int64_t>& expected) const {
    if (shape(theirs) != expected) refuse(words_of_shape(theirs) + ", config.json says " + text(expected));
  }
  std::string words_of_shape(const std::string& theirs) const {
    return "tensor \"" + theirs + "\" has shape " + text(shape(theirs));
  }

 private:
  static SafetensorsFile open(const fs::path& folder, const fs::path& path) {
    if (!fs::exists(path) && fs::exists(folder / "model.safetensors.index.json"))
      throw ModelContractError(folder.string() +
                               ": its weights are split over several files; save them as one: "
                               "model.save_pretrained(folder, max_shard_size='10GB') in transformers");
    if (!fs::exists(path) && fs::exists(folder / "pytorch_model.bin"))
      throw ModelContractError(folder.string() +
                               ": has pytorch_model.bin but no model.safetensors; convert it: python -c \"import sys; "
                               "from transformers import AutoModelForSequenceClassification as A; "
                               "A.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])\" "
                               "FOLDER NEW_FOLDER, then copy the tokenizer's files beside it");
    return SafetensorsFile::open(path);
  }
  std::string our_name(const std::string& theirs) const {
    const std::string name = modern(theirs);
    if (is_bert()) return "distilbert." + distilbert_name(without_prefix(name, "bert."));
    const bool bare = name.starts_with("embeddings.") || name.starts_with("transformer.");
    return bare ? "distilbert." + name : name;
  }
  /// BERT adds a token type's row to every token; with one type it is a constant that positions can carry.
  void add_token_type(std::vector<float>& positions, int64_t dim) const {
    const std::vector<int64_t>& found = shape(token_types_);
    require_shape(token_types_, {std::max<int64_t>(found.empty() ? 1 : found[0], 1), dim});
    const std::vector<float> types = file_.floats(token_types_);
    for (size_t i = 0; i < positions.size(); ++i)
      positions[i] += types[i % static_cast<size_t>(dim)];
  }
  static std::string text(const std::vector<int64_t>& shape) {
    std::string result = "[";
    for (const int64_t side : shape)
      result += (result.size() > 1 ? ", " : "") + std::to_string(side);
    return result + "]";
  }

  fs::path path_;
  SafetensorsFile file_;
  std::string token_types_;                   // their name of it; empty: not a BERT
  std::map<std::string, std::string> names_;  // ours -> theirs
};

/// A classifier for another number of labels is of no use; anything else of another shape is an error.
bool is_usable(const Checkpoint& file, const ParameterSlot& slot, const std::string& theirs) {
  if (!slot.name.starts_with("classifier.")) return true;
  std::vector<int64_t> shape = file.shape(theirs);
  if (shape.size() != slot.shape.size()) return true;
  shape[0] = slot.shape[0];
  return shape != slot.shape || file.shape(theirs)[0] == slot.shape[0];
}

/// The file against a model's parameters.
class Match {
 public:
  Match(const Checkpoint& file, const ParameterLayout& layout) {
    report_.folded_from_bert = file.is_bert();
    for (const ParameterSlot& slot : layout.slots)
      add(file, slot);
    report_.unused = file.names_but(used_);
  }
  const LoadReport& report() const { return report_; }
  /// The file's tensor for a parameter; null: to be initialized.
  const std::string* find(const Checkpoint& file, const ParameterSlot& slot) const {
    const std::string* theirs = file.find(slot.name);
    return theirs != nullptr && used_.contains(*theirs) ? theirs : nullptr;
  }

 private:
  void add(const Checkpoint& file, const ParameterSlot& slot) {
    const std::string* theirs = file.find(slot.name);
    const bool fits = theirs != nullptr && is_usable(file, slot, *theirs);
    if (theirs != nullptr && !fits && report_.misfit.empty()) report_.misfit = file.words_of_shape(*theirs);
    if (!fits && !is_head(slot)) file.refuse("has no tensor for the parameter \"" + slot.name + "\"");
    if (!fits) return report_.newly_initialized.push_back(slot.name);
    file.require_shape(*theirs, slot.shape);
    used_.insert(*theirs);
  }

  LoadReport report_;
  std::set<std::string> used_;  // their names
};

}  // namespace

bool LoadReport::leaves_bert_classifier() const {
  return folded_from_bert && std::ranges::find(unused, "classifier.weight") != unused.end();
}

LoadReport examine_weights(const DistilBertConfig& config, const fs::path& folder) {
  return Match(Checkpoint(folder), make_layout(config)).report();
}

LoadReport load_weights(DistilBert& model, const fs::path& folder, uint64_t seed) {
  const Checkpoint file(folder);
  const Match match(file, model.layout());
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  for (const ParameterSlot& slot : model.layout().slots) {
    const auto target = std::span(parameters).subspan(slot.offset, slot.size);
    if (const std::string* theirs = match.find(file, slot))
      std::ranges::copy(file.values(slot, *theirs), target.begin());
    else
      initialize_slot(model.config(), slot, seed, target);
  }
  model.set_parameters(parameters);
  return match.report();
}

void save_weights(const DistilBert& model, const fs::path& folder) {
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  model.get_parameters(parameters);
  std::vector<TensorToWrite> tensors;
  for (const ParameterSlot& slot : model.layout().slots)
    tensors.push_back({slot.name, slot.shape, std::span(parameters).subspan(slot.offset, slot.size)});
  write_safetensors(folder / "model.safetensors", tensors);

  const fs::path path = folder / "config.json";
  std::ofstream file(path, std::ios::trunc);
  file << config_json(model.config());
  file.close();
  if (!file)
    throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), path.string() + ": cannot be written");
}

}  // namespace lockstep::model
