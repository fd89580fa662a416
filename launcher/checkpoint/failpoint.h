#pragma once

namespace lockstep {

/// A named place in the commit of a checkpoint. In builds with tests, LOCKSTEP_FAILPOINT="NAME:RANK:HIT:kill" ends rank
/// RANK there with SIGKILL when it comes by for the HIT-th time (from 1), and "...:full" throws what a full disk does.
/// In other builds it is nothing.
#ifdef LOCKSTEP_FAILPOINTS
void failpoint(const char* name);
#else
inline void failpoint(const char*) {}
#endif

}  // namespace lockstep
