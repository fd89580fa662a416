#include "model/gpu_peak.h"

#ifdef LOCKSTEP_CUDA
#include <ATen/cuda/CUDAContextLight.h>
#endif
#include <c10/core/Device.h>

namespace lockstep::model {
namespace {

struct Peak {
  const char* part_of_name;
  double bfloat16, float32;  // 10^12 per second
};
/// fp32 without TF32, which LibTorch does not use unless it is told to. The first entry that fits counts.
constexpr Peak kPeaks[] = {
    {"H200 NVL", 835, 60}, {"H200", 989, 67},   {"H100 NVL", 835, 60}, {"H100 PCIe", 756, 51}, {"H100", 989, 67},
    {"A100", 312, 19.5},   {"L40S", 362, 91.6}, {"L4", 121, 30.3},     {"A10", 125, 31.2},
};

/// Whole words only: an L40 is no L4. Of the hyphened names only the boards' ("A100-SXM4-40GB"): those of virtual GPUs
/// are alike ("A10-24Q").
bool names(const std::string& gpu, const std::string& part) {
  return (" " + gpu + " ").find(" " + part + " ") != std::string::npos ||
         gpu.find(" " + part + "-SXM") != std::string::npos || gpu.find(" " + part + "-PCI") != std::string::npos;
}

/// Of a slice the peak is not known.
bool is_slice(const std::string& gpu) {
  return gpu.find(" MIG ") != std::string::npos;
}

}  // namespace

double peak_flops_of(const std::string& gpu, Precision precision) {
  if (is_slice(gpu)) return 0;
  for (const Peak& peak : kPeaks)
    if (names(gpu, peak.part_of_name)) return 1e12 * (precision == Precision::kBFloat16 ? peak.bfloat16 : peak.float32);
  return 0;
}

double peak_flops([[maybe_unused]] const std::string& device, [[maybe_unused]] Precision precision) {
#ifdef LOCKSTEP_CUDA
  const at::Device known(device);
  if (known.is_cuda()) return peak_flops_of(at::cuda::getDeviceProperties(known.index())->name, precision);
#endif
  return 0;
}

}  // namespace lockstep::model
