#pragma once

#include <cstdint>

namespace lockstep::model {

/// A row's dropout: element j is multiplied by `scale` if its draw is at least `threshold`, else by 0.
struct RowDropout {
  const uint16_t* draws = nullptr;
  uint32_t threshold = 0;
  float scale = 1;

  float factor(int64_t j) const { return draws[j] >= threshold ? scale : 0.0F; }
};

}  // namespace lockstep::model
