#pragma once

#include <cstdint>
#include <functional>
#include <random>

#include "tests/power/disk.h"

namespace lockstep::tests {

/// Calls `visit` with each state that is tried of what a power loss at this moment may leave, none twice. Where there
/// are few, that is all of them. Else: all changes kept, or lost; each one alone lost, torn, zeroed or kept; the first
/// N kept, as a journal would; names without bytes and bytes without names; each two lost; and `samples` random ones.
void for_each_state(const Disk& disk, int samples, std::mt19937& random, const std::function<void(const Tree&)>& visit);

}  // namespace lockstep::tests
