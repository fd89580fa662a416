#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::data {

/// Each id of `ids` once, rising: of a packed global batch, the word embeddings that its step touches. `ids` >= 0.
std::vector<int32_t> distinct_ids(std::span<const int32_t> ids);

}  // namespace lockstep::data
