#pragma once

#include <cstdint>

#include "model/cpu/bfloat16.h"

namespace lockstep::model {

/// sums += values
void add_row(float* sums, const float* values, int64_t count);
void add_row(float* sums, const Bf16* values, int64_t count);

}  // namespace lockstep::model
