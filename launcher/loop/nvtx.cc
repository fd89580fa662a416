#include "launcher/loop/nvtx.h"

#ifdef LOCKSTEP_CUDA

#include <nvtx3/nvToolsExt.h>

namespace lockstep {

void begin_nvtx_range(const std::string& name) {
  nvtxRangePushA(name.c_str());
}

void end_nvtx_range() {
  nvtxRangePop();
}

}  // namespace lockstep

#endif
