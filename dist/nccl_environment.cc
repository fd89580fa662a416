#include "dist/nccl_environment.h"

#include <cstdlib>

namespace lockstep::dist {

bool may_choose_nvls(const char* nccl_algo, const char* nccl_nvls_enable) {
  return nccl_algo == nullptr && nccl_nvls_enable == nullptr;
}

void keep_sums_in_one_order() {
  if (may_choose_nvls(std::getenv("NCCL_ALGO"), std::getenv("NCCL_NVLS_ENABLE"))) setenv("NCCL_NVLS_ENABLE", "0", 0);
}

}  // namespace lockstep::dist
