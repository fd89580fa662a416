#include "model/dropout.h"

#include <algorithm>

#include "model/cpu/philox_chunk.h"
#include "model/vectorize.h"

namespace lockstep::model {
namespace {

LOCKSTEP_FOR_EACH_ISA void scale_kept(float* __restrict values, const uint16_t* __restrict draws, int64_t count,
                                      uint32_t threshold, float scale) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i)
    values[i] *= draws[i] >= threshold ? scale : 0.0F;
}

}  // namespace

void dropout_draws(uint16_t* draws, int64_t count, int64_t first, const DropoutKey& key) {
  const PhiloxKey philox = philox_key(key.seed, key.step);
  const auto counter = [&](int64_t done) {
    return mask_counter(key, static_cast<uint32_t>((first + done) / kDrawsPerCounter));
  };
  int64_t done = 0;
  for (; done + kPhiloxChunk <= count; done += kPhiloxChunk)
    philox_chunk(draws + done, counter(done), philox);
  if (done == count) return;
  uint16_t last[kPhiloxChunk];
  philox_chunk(last, counter(done), philox);
  std::copy_n(last, count - done, draws + done);
}

void apply_dropout(float* values, int64_t count, int64_t first, const DropoutKey& key, double p) {
  if (p == 0) return;
  constexpr int64_t kBlock = 16 * kPhiloxChunk;
  uint16_t draws[kBlock];
  for (int64_t done = 0; done < count; done += kBlock) {
    const int64_t size = std::min(kBlock, count - done);
    dropout_draws(draws, size, first + done, key);
    scale_kept(values + done, draws, size, drop_threshold(p), static_cast<float>(1 / (1 - p)));
  }
}

}  // namespace lockstep::model
