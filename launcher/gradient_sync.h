#pragma once

#include <cstdint>

#include "dist/communicator.h"
#include "dist/reducer.h"
#include "launcher/train_options.h"
#include "model/distilbert.h"

namespace lockstep {

/// Joins model's backward to dist's Reducer: turns "elements [0, end) are final" into mark_ready() of the buckets that
/// end there.
class GradientSync {
 public:
  GradientSync(model::DistilBert& model, dist::Communicator& communicator, double bucket_cap_mib);

  /// To be handed to the last forward_backward() of a step. Collective in effect.
  void frontier_moved(int64_t end);
  /// Collective. Afterwards the model's gradients are the sums over ranks.
  void finish();
  size_t bucket_count() const { return reducer_.bucket_count(); }

 private:
  model::DistilBert& model_;
  dist::Reducer reducer_;
  size_t next_ = 0;
};

}  // namespace lockstep
