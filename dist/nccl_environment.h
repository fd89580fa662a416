#pragma once

namespace lockstep::dist {

/// Whether NVLS, NCCL's sums inside NVSwitch, whose order changes from call to call, may be chosen without the user
/// having asked for an algorithm. Values of NCCL_ALGO and NCCL_NVLS_ENABLE; null: not set.
bool may_choose_nvls(const char* nccl_algo, const char* nccl_nvls_enable);

/// Takes that choice away, by NCCL_NVLS_ENABLE=0 in this process's environment. Before NCCL's first call, while no
/// other thread reads the environment.
void keep_sums_in_one_order();

}  // namespace lockstep::dist
