#pragma once

#include <string>

namespace lockstep::model {

/// Threads that LibTorch's and our own kernels use in this process.
void set_compute_threads(int threads);
int compute_threads();
/// Number of CUDA devices this process sees; 0 in a build without CUDA.
int cuda_device_count();
/// Whether `device` ("cpu", "cuda:N") has instructions for bf16: GPUs from compute capability 8.0 (Ampere) on, CPUs
/// with AVX512_BF16 or AMX. Without them a GPU or CPU emulates bf16, at a fraction of its speed in fp32.
bool has_bfloat16(const std::string& device);
std::string libtorch_version();

}  // namespace lockstep::model
