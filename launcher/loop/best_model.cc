#include "launcher/loop/best_model.h"

#include <cmath>

namespace lockstep {

BestModel::BestModel(std::string metric, int64_t patience, double threshold)
    : metric_(std::move(metric)), patience_(patience), threshold_(threshold) {}

bool BestModel::is_better(double value, double than, double by) const {
  return std::isnan(than) || (metric_ == "loss" ? value < than - by : value > than + by);
}

bool BestModel::observe(const EvalResult& result, int64_t step, double epoch) {
  const double value = result.value_of(metric_);
  const bool enough = is_better(value, state_.value, threshold_);
  state_.evaluations_without_gain = enough ? 0 : state_.evaluations_without_gain + 1;
  if (!is_better(state_.lost_value, value, 0)) state_.lost_step = -1;
  if (!is_better(value, state_.value, 0)) return false;
  state_.value = value;
  state_.step = step;
  state_.epoch = epoch;
  return true;
}

void BestModel::lose(int64_t step, const State& before) {
  const State now = state_;
  state_ = before;
  state_.evaluations_without_gain = now.evaluations_without_gain;
  const bool lost_a_better_one = now.lost_step >= 0;  // else observe() would have dropped it
  state_.lost_step = lost_a_better_one ? now.lost_step : step;
  state_.lost_value = lost_a_better_one ? now.lost_value : now.value;
}

}  // namespace lockstep
