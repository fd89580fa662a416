#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "model/dropout.h"

namespace lockstep::model {

/// Philox-4x32-10: a bijection of the 128-bit counter for each 64-bit key (Salmon et al., SC'11).
inline constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53;
inline constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57;
inline constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9;
inline constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85;
inline constexpr int kPhiloxRounds = 10;
/// Elements of a mask that one counter decides: four words, two 16-bit draws each, the low half first.
inline constexpr int64_t kDrawsPerCounter = 8;

struct PhiloxKey {
  uint32_t low = 0;
  uint32_t high = 0;
};

using PhiloxWords = std::array<uint32_t, 4>;

inline PhiloxWords philox(PhiloxWords c, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t a = uint64_t{kPhiloxMultiplier0} * c[0];
    const uint64_t b = uint64_t{kPhiloxMultiplier1} * c[2];
    c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ key.low, static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ c[3] ^ key.high, static_cast<uint32_t>(a)};
    key.low += kPhiloxWeyl0;
    key.high += kPhiloxWeyl1;
  }
  return c;
}

/// A bijection of 64-bit words whose every output bit depends on every input bit (the finalizer of SplitMix64).
inline uint64_t mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

/// Different for every step of one seed, and for every seed at one step.
inline PhiloxKey philox_key(uint64_t seed, int64_t step) {
  const uint64_t key = mix64(mix64(seed) + static_cast<uint64_t>(step));
  return {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
}

/// The counter of a mask's elements 8 * block .. 8 * block + 7.
inline PhiloxWords mask_counter(const DropoutKey& key, uint32_t block) {
  const auto example = static_cast<uint64_t>(key.example_id);
  return {block, key.layer * 4 + static_cast<uint32_t>(key.site), static_cast<uint32_t>(example),
          static_cast<uint32_t>(example >> 32)};
}

/// A draw below this drops its element.
inline uint32_t drop_threshold(double p) {
  return static_cast<uint32_t>(std::lround(p * 65536));
}

}  // namespace lockstep::model
