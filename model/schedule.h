#pragma once

#include <cstdint>

namespace lockstep::model {

/// How the rate goes on after the warm-up.
enum class Decay {
  kLinear,  // to 0 at total_steps
  kCosine,  // half a wave of it, from the peak to 0 at total_steps
  kNone,    // "constant_with_warmup"
};

/// Hugging Face's schedules: the rate rises over the warm-up steps, then decays.
struct LearningRateSchedule {
  double peak = 5e-5;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;
  Decay decay = Decay::kLinear;

  /// Rate of optimizer step `step`, counted from 0: peak * step / warmup; then, with p = (step - warmup) / (total -
  /// warmup), peak * (1 - p), or peak * (1 + cos(pi p)) / 2.
  double at(int64_t step) const;
};

}  // namespace lockstep::model
