#pragma once

#include <cstdint>

namespace lockstep::model {

/// Hugging Face's "linear" schedule (and "constant"): lr rises over the warm-up steps, then falls to 0 at total_steps.
struct LearningRateSchedule {
  double peak = 5e-5;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;
  bool constant = false;  // no decay after warm-up ("constant_with_warmup")

  /// Rate of optimizer step `step`, counted from 0: peak * step / warmup, then peak * (total - step) / (total -
  /// warmup).
  double at(int64_t step) const;
};

}  // namespace lockstep::model
