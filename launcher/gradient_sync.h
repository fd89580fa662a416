#pragma once

#include <cstdint>

#include "dist/communicator.h"
#include "dist/reducer.h"
#include "model/distilbert.h"
#include "model/exchange_buffer.h"

namespace lockstep {

struct GradientSyncOptions {
  double bucket_cap_mib = 25;  // of fp32 gradients, whatever they travel in
  bool bfloat16 = false;       // they travel in bf16: each rank's are rounded to it, then summed as Communicator says
};

/// Joins model's backward to dist's Reducer: turns "elements [0, end) are final" into mark_ready() of the buckets that
/// end there. Gradients are copied only where they travel in another form, or in other memory, than the model has them.
class GradientSync {
 public:
  GradientSync(model::DistilBert& model, dist::Communicator& communicator, const GradientSyncOptions& options);

  /// To be handed to the last forward_backward() of a step. Collective in effect.
  void frontier_moved(int64_t end);
  /// Collective. Afterwards the model's gradients are the sums over ranks.
  void finish();
  size_t bucket_count() const { return reducer_.bucket_count(); }

 private:
  int64_t elements_;
  model::ExchangeBuffer buffer_;
  dist::Reducer reducer_;  // last: its reductions end before the buffer goes
  size_t next_ = 0;
};

}  // namespace lockstep
