#include "model/schedule.h"

#include <algorithm>

namespace lockstep::model {

double LearningRateSchedule::at(int64_t step) const {
  if (step < warmup_steps) return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (constant) return peak;
  const int64_t left = std::max<int64_t>(0, total_steps - step);
  return peak * static_cast<double>(left) / static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps));
}

}  // namespace lockstep::model
