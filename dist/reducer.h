#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dist/bucket_plan.h"
#include "dist/communicator.h"

namespace lockstep::dist {

/// Sums the flat gradient over ranks, bucket by bucket in plan order. mark_ready() is the only trigger: a bucket is
/// reduced once it and all before it are ready. Every rank marks every bucket exactly once per step, also a rank
/// without examples.
class Reducer {
 public:
  /// `communicator` and `gradients` must outlive it. Throws std::invalid_argument if the plan does not tile
  /// `gradients`.
  Reducer(Communicator& communicator, std::vector<Bucket> plan, std::span<float> gradients);

  size_t bucket_count() const { return plan_.size(); }
  const Bucket& bucket(size_t index) const { return plan_.at(index); }

  /// Collective in effect. Throws std::logic_error if the bucket was already marked in this step.
  void mark_ready(size_t index);
  /// Collective. Returns when every bucket's sum is in `gradients` and begins the next step. Throws std::logic_error
  /// naming the buckets that were never marked.
  void finish();

 private:
  Communicator& communicator_;
  std::vector<Bucket> plan_;
  std::span<float> gradients_;
  std::vector<bool> ready_;
  size_t next_ = 0;
};

}  // namespace lockstep::dist
