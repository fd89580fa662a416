#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "data/sharded_dataset.h"
#include "model/config.h"

namespace lockstep {

/// What a training's cost depends on of its data. Lengths are in tokens, after the cut to the maximum.
struct Workload {
  std::string name;
  int64_t examples = 0;
  double mean_length = 0;
  double mean_square_of_length = 0;
  std::map<int64_t, int64_t> words_by_examples;  // how many vocabulary entries occur in just so many examples; or empty
};

/// Counted in a split that is in memory.
Workload workload_of(const data::ShardedDataset& dataset, int max_length);
/// IMDB's training split at 512 tokens, for plans without data.
Workload imdb_workload();

/// Word embeddings that a global batch of `batch` examples touches, of a vocabulary of that size. Counted data: the
/// expected number for a random batch without repetition, sum over words of 1 - C(E - e, b) / C(E, b), where e of E
/// examples hold the word. Otherwise what was counted in IMDB for as many tokens, interpolated.
double touched_rows(const Workload& workload, int64_t batch, int64_t vocabulary);

/// Mean operations of a training step on one example, forward and backward (twice forward's), padding not counted.
double arithmetic_per_example(const model::DistilBertConfig& config, const Workload& workload);

}  // namespace lockstep
