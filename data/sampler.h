#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::data {

/// `count` examples with as many of each class as the classes allow (300 of two classes: 150 and 150), chosen by
/// `seed`, returned in rising order. A class with too few examples gives all it has and the others make up for it; what
/// cannot be divided evenly goes to the lower labels. `count` < 0 or >= the number of examples: all of them.
std::vector<int64_t> balanced_subset(std::span<const int32_t> labels, int64_t count, uint64_t seed);

/// `count` examples with the same part of each class (100 of 950 and 50: 95 and 5), chosen by `seed`, returned in
/// rising order. Every class keeps one example or more, so that there may be fewer than `count`; where `count` allows,
/// every class that has two gives one. Fractions of an example go to the larger classes, of equal ones to the lower
/// labels: of equally large classes it is balanced_subset(). 0 <= `count`.
std::vector<int64_t> stratified_subset(std::span<const int32_t> labels, int64_t count, uint64_t seed);

/// The one global order of an epoch: a permutation of `examples` that depends on seed and epoch only, never on the
/// number of ranks. Fisher-Yates over std::mt19937_64 (its sequence is fixed by the C++ standard), seeded with a 64-bit
/// mix of seed and epoch in which no two epochs of one seed coincide; the bounded integers are our own, since
/// std::shuffle and the standard distributions differ between libraries. So the order is the same with any compiler.
std::vector<int64_t> epoch_order(std::span<const int64_t> examples, uint64_t seed, int64_t epoch);

/// Rank `rank`'s part of a global batch, dealt so that all ranks get about equal work: examples in falling order of
/// `work` (arithmetic of each, any unit; one per example of the batch), each to the rank that has the least so far,
/// ties to the lower rank (Graham's longest-processing-time rule: at most 4/3 of the best deal). The part is in the
/// batch's order and may be empty. The union over ranks is the global batch, each example exactly once; a pure
/// function, so that every rank knows every deal. 0 <= rank < world_size and as many works as examples, or
/// std::invalid_argument.
std::vector<int64_t> share_of_rank(std::span<const int64_t> global_batch, std::span<const double> work, int rank,
                                   int world_size);

}  // namespace lockstep::data
