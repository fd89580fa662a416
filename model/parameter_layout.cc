#include "model/parameter_layout.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "model/error.h"

namespace lockstep::model {
namespace {

class Builder {
 public:
  void add(const std::string& name, std::vector<int64_t> shape, bool decay) {
    const int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    layout_.slots.push_back({name, std::move(shape), layout_.size, size, decay});
    layout_.size += size;
  }
  void add_linear(const std::string& name, int64_t out, int64_t in) {
    add(name + ".weight", {out, in}, true);
    add(name + ".bias", {out}, false);
  }
  void add_norm(const std::string& name, int64_t dim) {
    add(name + ".weight", {dim}, false);
    add(name + ".bias", {dim}, false);
  }
  ParameterLayout take() { return std::move(layout_); }

 private:
  ParameterLayout layout_;
};

/// The three projections stand weights first, then biases, so that they are one [3 * dim, dim] matrix and one bias.
void add_layer(Builder& builder, const DistilBertConfig& config, int64_t layer) {
  const std::string prefix = "distilbert.transformer.layer." + std::to_string(layer) + ".";
  builder.add_norm(prefix + "output_layer_norm", config.dim);
  builder.add_linear(prefix + "ffn.lin2", config.dim, config.hidden_dim);
  builder.add_linear(prefix + "ffn.lin1", config.hidden_dim, config.dim);
  builder.add_norm(prefix + "sa_layer_norm", config.dim);
  builder.add_linear(prefix + "attention.out_lin", config.dim, config.dim);
  for (const char* name : {"q_lin", "k_lin", "v_lin"})
    builder.add(prefix + "attention." + name + ".weight", {config.dim, config.dim}, true);
  for (const char* name : {"q_lin", "k_lin", "v_lin"})
    builder.add(prefix + "attention." + name + ".bias", {config.dim}, false);
}

}  // namespace

const ParameterSlot& ParameterLayout::find(const std::string& name) const {
  const auto slot = std::find_if(slots.begin(), slots.end(), [&](const ParameterSlot& s) { return s.name == name; });
  if (slot == slots.end()) throw ModelContractError("this model has no parameter \"" + name + "\"");
  return *slot;
}

ParameterLayout make_layout(const DistilBertConfig& config) {
  Builder builder;
  builder.add_linear("classifier", config.num_labels(), config.dim);
  builder.add_linear("pre_classifier", config.dim, config.dim);
  for (int64_t layer = config.n_layers - 1; layer >= 0; --layer)
    add_layer(builder, config, layer);
  builder.add_norm("distilbert.embeddings.LayerNorm", config.dim);
  builder.add("distilbert.embeddings.position_embeddings.weight", {config.max_position_embeddings, config.dim}, true);
  builder.add("distilbert.embeddings.word_embeddings.weight", {config.vocab_size, config.dim}, true);
  return builder.take();
}

}  // namespace lockstep::model
