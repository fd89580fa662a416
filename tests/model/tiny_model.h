#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "model/distilbert.h"

namespace lockstep::model {

/// Every part of the architecture at its smallest useful size. Initial weights large enough that every gradient is
/// alive.
inline DistilBertConfig tiny_config() {
  DistilBertConfig config;
  config.vocab_size = 40;
  config.max_position_embeddings = 24;
  config.n_layers = 2;
  config.n_heads = 2;
  config.dim = 16;
  config.hidden_dim = 24;
  config.initializer_range = 0.25;
  config.labels = {"bad", "fair", "good"};
  return config;
}

inline DistilBert tiny_model(DistilBertConfig config = tiny_config()) {
  DistilBert model(std::move(config), "cpu");
  model.initialize(3, false);
  return model;
}

inline std::vector<float> parameters_of(const DistilBert& model) {
  std::vector<float> values(static_cast<size_t>(model.layout().size));
  model.get_parameters(values);
  return values;
}

/// Packed examples that own their memory.
struct TinyBatch {
  std::vector<int32_t> ids, offsets = {0}, labels;
  std::vector<int64_t> example_ids;

  void add(int64_t example_id, int32_t length, int32_t label) {
    std::mt19937 random(static_cast<uint32_t>(example_id));
    for (int32_t i = 0; i < length; ++i)
      ids.push_back(static_cast<int32_t>(1 + random() % 39));
    offsets.push_back(static_cast<int32_t>(ids.size()));
    labels.push_back(label);
    example_ids.push_back(example_id);
  }
  PackedInput input() const { return {ids, offsets, labels, example_ids}; }
};

/// Lengths 1, odd, a multiple of 8, and the longest there is.
inline TinyBatch tiny_batch() {
  TinyBatch batch;
  batch.add(5, 7, 0);
  batch.add(6, 1, 1);
  batch.add(1'000'000'007, 16, 2);
  batch.add(8, 24, 1);
  return batch;
}

}  // namespace lockstep::model
