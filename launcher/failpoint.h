#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

/// A named place in a run. In builds with tests, LOCKSTEP_FAILPOINT="NAME:RANK:HIT:ACTION" does something to rank RANK
/// when it comes by for the HIT-th time (from 1): "kill" ends it, "freeze" stops it, "full" throws what a full disk
/// does, "slow" holds it for 3 s, "lag" for 0.2 s then and each time after, "hold" then and each time after until the
/// file that LOCKSTEP_FAILPOINT_GATE names is there; "usr1" and "term" send it that signal, and "usr1-twice" and
/// "term-twice" the second at once. In other builds it is nothing.
#ifdef LOCKSTEP_FAILPOINTS
void failpoint(const char* name);
/// What gradients are multiplied by: NaN if LOCKSTEP_NAN_EXAMPLE is one of `examples`, else 1.
double failpoint_factor(std::span<const int64_t> examples);
/// What is trained in the place of `examples`: LOCKSTEP_SWAP_EXAMPLE="A,B" has B for A, and "A" leaves A out.
std::vector<int64_t> failpoint_examples(std::span<const int64_t> examples);
#else
inline void failpoint(const char*) {}
inline double failpoint_factor(std::span<const int64_t>) {
  return 1;
}
inline std::span<const int64_t> failpoint_examples(std::span<const int64_t> examples) {
  return examples;
}
#endif

}  // namespace lockstep
