#pragma once

#include "model/philox.h"

namespace lockstep::model {

/// Counters that go through Philox together.
inline constexpr int kPhiloxLanes = 16;
inline constexpr int64_t kPhiloxChunk = kPhiloxLanes * kDrawsPerCounter;

/// draws[0 .. kPhiloxChunk): those of the counters first, first + 1 (in its lowest word), ...; the same function of its
/// arguments as philox() on each.
void philox_chunk(uint16_t* draws, const PhiloxWords& first, PhiloxKey key);

}  // namespace lockstep::model
