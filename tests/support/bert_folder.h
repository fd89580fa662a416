#pragma once

#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/distilbert.h"
#include "model/safetensors.h"

namespace lockstep::tests {

/// What BERT calls a DistilBERT's parameter; the pooler has pre_classifier's place.
inline std::string bert_name(std::string name) {
  const std::pair<std::string, std::string> parts[] = {{"distilbert.", "bert."},
                                                       {"transformer.layer.", "encoder.layer."},
                                                       {"attention.q_lin.", "attention.self.query."},
                                                       {"attention.k_lin.", "attention.self.key."},
                                                       {"attention.v_lin.", "attention.self.value."},
                                                       {"attention.out_lin.", "attention.output.dense."},
                                                       {"sa_layer_norm.", "attention.output.LayerNorm."},
                                                       {"ffn.lin1.", "intermediate.dense."},
                                                       {"ffn.lin2.", "output.dense."},
                                                       {"output_layer_norm.", "output.LayerNorm."},
                                                       {"pre_classifier.", "bert.pooler.dense."}};
  for (const auto& [ours, theirs] : parts)
    if (const size_t at = name.find(ours); at != std::string::npos) name.replace(at, ours.size(), theirs);
  return name;
}

/// config.json and weights of a fine-tuned BertForSequenceClassification with the parameters of `model`.
inline void write_bert_classifier(const model::DistilBert& model, const std::string& folder) {
  const model::DistilBertConfig& config = model.config();
  std::vector<float> values(static_cast<size_t>(model.layout().size));
  model.get_parameters(values);
  const std::vector<float> token_types(static_cast<size_t>(2 * config.dim));
  std::vector<model::TensorToWrite> tensors = {
      {"bert.embeddings.token_type_embeddings.weight", {2, config.dim}, token_types}};
  for (const model::ParameterSlot& slot : model.layout().slots)
    tensors.push_back({bert_name(slot.name), slot.shape, std::span(values).subspan(slot.offset, slot.size)});
  model::write_safetensors(folder + "/model.safetensors", tensors);
  std::ofstream(folder + "/config.json") << R"({"model_type": "bert", "hidden_act": "gelu", "vocab_size": )"
                                         << config.vocab_size << R"(, "max_position_embeddings": )"
                                         << config.max_position_embeddings << R"(, "hidden_size": )" << config.dim
                                         << R"(, "num_hidden_layers": )" << config.n_layers
                                         << R"(, "num_attention_heads": )" << config.n_heads
                                         << R"(, "intermediate_size": )" << config.hidden_dim << "}";
}

}  // namespace lockstep::tests
