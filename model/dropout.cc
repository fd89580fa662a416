#include "model/dropout.h"

#include <algorithm>

#include "model/philox.h"
#include "model/vectorize.h"

namespace lockstep::model {
namespace {

/// Counters that go through Philox together: eight, each 32-bit word in the low half of a 64-bit lane, where the 32 x
/// 32
/// -> 64 bit product needs no shuffling.
constexpr int kLanes = 8;
constexpr int64_t kChunk = kLanes * kDrawsPerCounter;
using Lanes = uint64_t __attribute__((vector_size(kLanes * sizeof(uint64_t))));
constexpr uint64_t kLowHalf = 0xFFFFFFFF;

/// Scales 64 values, whose first counter is `first`. The same function of its arguments as philox() on each counter.
LOCKSTEP_FOR_EACH_ISA void apply_chunk(float* __restrict values, PhiloxWords first, PhiloxKey key, uint32_t threshold,
                                       float scale) {
  Lanes c0 = {0, 1, 2, 3, 4, 5, 6, 7};
  c0 = (c0 + first[0]) & kLowHalf;
  Lanes c1 = Lanes{} + first[1];
  Lanes c2 = Lanes{} + first[2];
  Lanes c3 = Lanes{} + first[3];
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const Lanes a = (c0 & kLowHalf) * uint64_t{kPhiloxMultiplier0};
    const Lanes b = (c2 & kLowHalf) * uint64_t{kPhiloxMultiplier1};
    c0 = (b >> 32) ^ c1 ^ key.low;
    c1 = b & kLowHalf;
    c2 = (a >> 32) ^ c3 ^ key.high;
    c3 = a & kLowHalf;
    key.low += kPhiloxWeyl0;
    key.high += kPhiloxWeyl1;
  }
  const Lanes front = c0 | (c1 << 32);
  const Lanes back = c2 | (c3 << 32);
  uint32_t words[kLanes * 4];
  for (int i = 0; i < kLanes; ++i) {
    words[4 * i] = static_cast<uint32_t>(front[i]);
    words[4 * i + 1] = static_cast<uint32_t>(front[i] >> 32);
    words[4 * i + 2] = static_cast<uint32_t>(back[i]);
    words[4 * i + 3] = static_cast<uint32_t>(back[i] >> 32);
  }
  for (int i = 0; i < kLanes * 4; ++i) {
    values[2 * i] *= (words[i] & 0xFFFF) >= threshold ? scale : 0.0F;
    values[2 * i + 1] *= (words[i] >> 16) >= threshold ? scale : 0.0F;
  }
}

}  // namespace

void apply_dropout(float* values, int64_t count, int64_t first, const DropoutKey& key, double p) {
  if (p == 0) return;
  const PhiloxKey philox = philox_key(key.seed, key.step);
  const uint32_t threshold = drop_threshold(p);
  const auto scale = static_cast<float>(1 / (1 - p));
  const auto counter = [&](int64_t done) {
    return mask_counter(key, static_cast<uint32_t>((first + done) / kDrawsPerCounter));
  };
  int64_t done = 0;
  for (; done + kChunk <= count; done += kChunk)
    apply_chunk(values + done, counter(done), philox, threshold, scale);
  if (done == count) return;
  float last[kChunk] = {};
  std::copy(values + done, values + count, last);
  apply_chunk(last, counter(done), philox, threshold, scale);
  std::copy(last, last + (count - done), values + done);
}

}  // namespace lockstep::model
