#include "model/compute.h"

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#ifdef LOCKSTEP_CUDA
#include <ATen/cuda/CUDAContextLight.h>
#endif
#include <c10/core/Device.h>
#include <omp.h>
#include <torch/headeronly/version.h>

namespace lockstep::model {

void set_compute_threads(int threads) {
  at::set_num_threads(threads);
  omp_set_num_threads(threads);
}

int compute_threads() {
  return at::get_num_threads();
}

int cuda_device_count() {
  return at::detail::getCUDAHooks().deviceCount();
}

bool has_bfloat16(const std::string& device) {
  const at::Device known(device);
#ifdef LOCKSTEP_CUDA
  if (known.is_cuda()) return at::cuda::getDeviceProperties(known.index())->major >= 8;
#endif
  // Every CPU with AMX has it too.
  return known.is_cpu() && __builtin_cpu_supports("avx512bf16");
}

std::string libtorch_version() {
  return TORCH_VERSION;
}

}  // namespace lockstep::model
