#pragma once

#include <string>

namespace lockstep {

/// Ranges of the calling thread on the timeline of NVIDIA's profilers; they nest. Without a profiler a call takes
/// nanoseconds, and in builds without CUDA it is nothing.
#ifdef LOCKSTEP_CUDA
void begin_nvtx_range(const std::string& name);
void end_nvtx_range();
#else
inline void begin_nvtx_range(const std::string&) {}
inline void end_nvtx_range() {}
#endif

}  // namespace lockstep
