#pragma once

#include "data/packed_batch.h"
#include "model/distilbert.h"

namespace lockstep {

/// data's batch as model's input: the one place where the two meet. Borrows; valid while `batch` lives.
inline model::PackedInput view_of(const data::PackedBatch& batch) {
  return {batch.ids, batch.offsets, batch.labels, batch.example_ids};
}

}  // namespace lockstep
