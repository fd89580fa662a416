#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace lockstep::model {

/// One parameter's place in the flat vectors of parameters, gradients, m and v.
struct ParameterSlot {
  std::string name;            // Hugging Face's: "distilbert.transformer.layer.0.attention.q_lin.weight"
  std::vector<int64_t> shape;  // row-major; linear weights are [out, in]
  int64_t offset = 0;          // first element
  int64_t size = 0;            // elements
  bool decay = false;          // weight decay applies (not to biases and LayerNorm)
};

/// The one flat layout. Slots stand in the order in which backward finishes them (head, last layer .. first layer,
/// embeddings), so that "everything before element e is final" describes progress through backward completely.
struct ParameterLayout {
  std::vector<ParameterSlot> slots;
  int64_t size = 0;  // elements in all

  /// [vocab_size, dim]: the last slot, and the only one of whose gradient a step may leave most rows untouched.
  const ParameterSlot& word_embeddings() const { return slots.back(); }
  /// Throws ModelContractError if there is no such parameter.
  const ParameterSlot& find(const std::string& name) const;
};

/// A pure function of the configuration.
ParameterLayout make_layout(const DistilBertConfig& config);

}  // namespace lockstep::model
