#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "launcher/evaluator.h"

namespace lockstep {

/// Which evaluation was the best so far, and whether to go on. The same on every rank, since evaluation results are.
class BestModel {
 public:
  /// What evaluations have changed, for a run that goes on later.
  struct State {
    double value = std::numeric_limits<double>::quiet_NaN();
    int64_t step = -1;
    double epoch = 0;
    int64_t evaluations_without_gain = 0;
    double lost_value = std::numeric_limits<double>::quiet_NaN();
    int64_t lost_step = -1;
  };

  /// `metric`: "loss" (smaller is better) or another of EvalResult::value_of() (greater is better). `patience` 0: never
  /// stop.
  BestModel(std::string metric, int64_t patience, double threshold);

  /// Returns true if `result` is the best so far.
  bool observe(const EvalResult& result, int64_t step, double epoch);
  /// The model of the evaluation at `step` is lost, which was the best so far: `before` is again what was best before.
  void lose(int64_t step, const State& before);
  /// Of the best evaluation, where its model is lost; else -1.
  int64_t lost_step() const { return state_.lost_step; }
  bool should_stop() const { return patience_ > 0 && state_.evaluations_without_gain >= patience_; }

  const std::string& metric() const { return metric_; }
  bool any() const { return state_.step >= 0; }
  double value() const { return state_.value; }
  int64_t step() const { return state_.step; }
  double epoch() const { return state_.epoch; }

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  bool is_better(double value, double than, double by) const;

  std::string metric_;
  int64_t patience_;
  double threshold_;
  State state_;
};

}  // namespace lockstep
