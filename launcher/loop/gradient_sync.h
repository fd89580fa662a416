#pragma once

#include <cstdint>
#include <vector>

#include "dist/communicator.h"
#include "dist/reducer.h"
#include "model/distilbert.h"
#include "model/exchange_buffer.h"

namespace lockstep {

struct GradientSyncOptions {
  double bucket_cap_mib = 25;  // of fp32 gradients, whatever they travel in
  bool bfloat16 = false;       // they travel in bf16: each rank's are rounded to it, then summed as Communicator says
};

/// How one bucket of a step travelled.
struct BucketRecord {
  int64_t elements = 0;  // that were sent
  dist::Clock::time_point ready;
  dist::TimeSpan reduction;
};

/// Joins model's backward to dist's Reducer: turns "elements [0, end) are final" into mark_ready() of the buckets that
/// end there. Gradients are copied only where they travel in another form, or in other memory, than the model has them;
/// the word embeddings' are a bucket of their own, and travel as the rows that the step touches. With one rank nothing
/// travels.
class GradientSync {
 public:
  GradientSync(model::DistilBert& model, dist::Communicator& communicator, const GradientSyncOptions& options);

  /// Before a step's first backward: the ids that occur in its global batch, each once, the same on every rank. All
  /// other rows of the word embeddings' gradient must be zero on every rank, as their sums then are. If they are more
  /// than half of the vocabulary, and in steps without this call, all rows travel.
  void begin_step(std::vector<int32_t> touched_words);
  /// To be handed to the last forward_backward() of a step. Collective in effect.
  void frontier_moved(int64_t end);
  /// Collective. Afterwards the model's gradients are the sums over ranks.
  void finish();

  /// Of the step that was finished last: one record per bucket in order, and for how long the step stood still for
  /// them. Nothing and zero with one rank.
  const std::vector<BucketRecord>& buckets() const { return buckets_; }
  double exposed_seconds() const { return reducer_.times().exposed.count(); }

 private:
  void mark_ready(size_t bucket);
  void store_sums();
  bool is_alone() const { return world_size_ == 1; }
  bool travels_by_rows(size_t bucket) const;

  const model::DistilBertConfig& config_;
  int world_size_;
  model::ExchangeBuffer buffer_;
  dist::Reducer reducer_;      // after the buffer: its reductions end before that goes
  std::vector<int32_t> rows_;  // of the word embeddings that travel; empty: all
  std::vector<BucketRecord> buckets_;
  size_t next_ = 0;
};

}  // namespace lockstep
