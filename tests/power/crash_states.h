#pragma once

#include <cstdint>
#include <functional>
#include <random>

#include "tests/power/disk.h"

namespace lockstep::tests {

/// Calls `visit` with states that a power loss at this moment may leave, until it answers false or all are done. Where
/// there are at most 512, these are all. Else: all changes kept, or lost; names without bytes and bytes without names;
/// each change alone lost, torn, zeroed or kept; the first N kept, as a journal would; the newest lost with each one of
/// the 32 before it; the newest five kept or lost in all ways; and `samples` random ones. (Two older ones were the
/// newest and another one some moments before.)
void for_each_state(const Disk& disk, int samples, std::mt19937& random, const std::function<bool(const Tree&)>& visit);

}  // namespace lockstep::tests
