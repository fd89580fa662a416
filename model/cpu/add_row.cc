#include "model/cpu/add_row.h"

#include "model/vectorize.h"

namespace lockstep::model {

LOCKSTEP_FOR_EACH_ISA void add_row(float* __restrict sums, const float* __restrict values, int64_t count) {
  for (int64_t j = 0; j < count; ++j)
    sums[j] += values[j];
}
LOCKSTEP_FOR_EACH_ISA void add_row(float* __restrict sums, const Bf16* __restrict values, int64_t count) {
  for (int64_t j = 0; j < count; ++j)
    sums[j] += widened(values[j]);
}

}  // namespace lockstep::model
