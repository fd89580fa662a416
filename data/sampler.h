#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::data {

/// `count` examples with as many of each class as the classes allow (300 of two classes: 150 and 150), chosen by `seed`,
/// returned in rising order. A class with too few examples gives all it has and the others make up for it.
/// `count` < 0 or >= the number of examples: all of them.
std::vector<int64_t> balanced_subset(std::span<const int32_t> labels, int64_t count, uint64_t seed);

/// The one global order of an epoch: a permutation of `examples` that depends on seed and epoch only, never on the
/// number of ranks. Philox-keyed Fisher-Yates: every permutation (up to the generator's period) is reachable.
std::vector<int64_t> epoch_order(std::span<const int64_t> examples, uint64_t seed, int64_t epoch);

/// Rank `rank`'s part of a global batch: contiguous, as even as possible, the first ranks taking one more
/// (16 over 3 ranks: 6, 5, 5). May be empty. The union over ranks is the global batch, each example exactly once.
std::span<const int64_t> share_of_rank(std::span<const int64_t> global_batch, int rank, int world_size);

}  // namespace lockstep::data
