#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "dist/bucket_plan.h"
#include "dist/communicator.h"

namespace lockstep::dist {

/// The flat gradient, or a part of it, as it travels, in the memory that the communicator takes.
using Gradients = std::variant<std::span<float>, std::span<BFloat16>>;

/// Sums the flat gradient over ranks, bucket by bucket in plan order, while the caller computes the rest. mark_ready()
/// is the only trigger: a bucket's reduction starts once it and all before it are ready. Every rank marks every bucket
/// exactly once per step, also a rank without examples. One thread calls.
class Reducer {
 public:
  /// `communicator` and `gradients` must outlive it. Throws std::invalid_argument if the plan does not tile
  /// `gradients`.
  Reducer(Communicator& communicator, std::vector<Bucket> plan, Gradients gradients);

  /// Between mark_ready() and finish(), as when an exception leaves a step: aborts the communicator, so that the
  /// gradient may go as well.
  ~Reducer();
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  size_t bucket_count() const { return plan_.size(); }
  const Bucket& bucket(size_t index) const { return plan_.at(index); }

  /// Collective in effect. Does not wait; until finish(), the bucket's values are the communicator's. Throws
  /// std::logic_error if the bucket was already marked in this step.
  void mark_ready(size_t index);
  /// The same for a bucket that travels as `values`, as many on every rank and outliving finish(), instead of its range
  /// of `gradients`: the parts of it that are not zero on every rank, gathered. finish() leaves their sums in `values`.
  void mark_ready(size_t index, Gradients values);
  /// Collective. Returns when every bucket's sum is in `gradients` and begins the next step. Throws std::logic_error
  /// naming the buckets that were never marked, and rethrows what a reduction threw.
  void finish();
  /// Of the step that was finished last: reductions[i] is bucket i's.
  const ReductionTimes& times() const { return times_; }

 private:
  Communicator& communicator_;
  std::vector<Bucket> plan_;
  Gradients gradients_;
  std::vector<bool> ready_;
  std::vector<Gradients> travelling_;  // what each ready bucket travels as
  size_t next_ = 0;                    // the first bucket that was not started
  ReductionTimes times_;
};

}  // namespace lockstep::dist
