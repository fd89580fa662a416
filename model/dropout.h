#pragma once

#include <cstdint>

namespace lockstep::model {

/// Where in the network a dropout mask is used. Values are part of the masks' definition: never renumber.
enum class DropoutSite : uint32_t { kEmbeddings = 0, kAttention = 1, kFeedForward = 2, kClassifier = 3 };

/// Names one mask: for one example, at one step, at one place. A mask depends on nothing else - not on rank, batch
/// slot, thread or world size - so it is never stored: backward asks for the same key again.
struct DropoutKey {
  uint64_t seed = 0;
  int64_t step = 0;  // optimizer step, from 0
  int64_t example_id = 0;
  uint32_t layer = 0;  // 0 for the embeddings and the classifier
  DropoutSite site = DropoutSite::kEmbeddings;
};

/// draws[i] = the 16-bit draw of element first + i of `key`'s mask, for i in [0, count): what apply_dropout() decides
/// by.
void dropout_draws(uint16_t* draws, int64_t count, int64_t first, const DropoutKey& key);

/// values[i] *= keep(key, first + i) ? 1 / (1 - p) : 0, for i in [0, count). Element e is kept if its 16-bit draw is at
/// least round(p * 65536): Philox-4x32-10 (Salmon et al., SC'11) with (seed, step) as key and (example, layer and site,
/// e / 8) as counter gives eight draws. 0 <= p < 1; p = 0 changes nothing. Pure; any thread. `first` is a multiple
/// of 8. Elements of an example of L tokens: token * dim + column (embeddings, feed-forward), column (classifier), and
/// (head * L + query) * S + key with S = L rounded up to a multiple of 8 (attention).
void apply_dropout(float* values, int64_t count, int64_t first, const DropoutKey& key, double p);

}  // namespace lockstep::model
