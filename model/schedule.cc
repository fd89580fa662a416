#include "model/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lockstep::model {

double LearningRateSchedule::at(int64_t step) const {
  if (step < warmup_steps) return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (decay == Decay::kNone) return peak;
  const auto decaying_steps = static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps));
  if (decay == Decay::kCosine) {
    const double progress = std::min(1.0, static_cast<double>(step - warmup_steps) / decaying_steps);
    return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  return peak * static_cast<double>(std::max<int64_t>(0, total_steps - step)) / decaying_steps;
}

}  // namespace lockstep::model
