#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <omp.h>
#include <torch/headeronly/version.h>

#include "model/distilbert.h"

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

std::string libtorch_version() {
  return TORCH_VERSION;
}

}  // namespace lockstep::model
