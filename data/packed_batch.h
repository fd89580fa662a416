#pragma once

#include <cstdint>
#include <vector>

namespace lockstep::data {

/// Examples laid end to end without padding: example i owns ids[offsets[i]] .. ids[offsets[i + 1] - 1].
struct PackedBatch {
  std::vector<int32_t> ids;            // [tokens], WordPiece ids with [CLS] and [SEP]
  std::vector<int32_t> offsets = {0};  // [examples + 1], offsets[0] = 0, strictly rising
  std::vector<int32_t> labels;         // [examples], 0 <= label < number of classes
  std::vector<int64_t> example_ids;    // [examples], index of the example in its split

  size_t size() const { return labels.size(); }
};

}  // namespace lockstep::data
