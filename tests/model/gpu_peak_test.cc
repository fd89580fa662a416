#include "model/gpu_peak.h"

#include <gtest/gtest.h>

namespace lockstep::model {
namespace {

TEST(PeakFlops, IsThatOfTheDataSheetByTheDriversName) {
  EXPECT_EQ(peak_flops_of("NVIDIA H200", Precision::kBFloat16), 989e12);
  EXPECT_EQ(peak_flops_of("NVIDIA H100 80GB HBM3", Precision::kBFloat16), 989e12);
  EXPECT_EQ(peak_flops_of("NVIDIA H100 PCIe", Precision::kBFloat16), 756e12);
  EXPECT_EQ(peak_flops_of("NVIDIA H100 NVL", Precision::kBFloat16), 835e12);
  EXPECT_EQ(peak_flops_of("NVIDIA H100 NVL", Precision::kFloat32), 60e12);
  EXPECT_EQ(peak_flops_of("NVIDIA H200 NVL", Precision::kBFloat16), 835e12);
  EXPECT_EQ(peak_flops_of("NVIDIA A100-SXM4-80GB", Precision::kFloat32), 19.5e12);
  EXPECT_EQ(peak_flops_of("NVIDIA L4", Precision::kBFloat16), 121e12);
}

TEST(PeakFlops, IsZeroForWhatIsNotListed) {
  EXPECT_EQ(peak_flops_of("NVIDIA L40", Precision::kBFloat16), 0);
  EXPECT_EQ(peak_flops_of("NVIDIA A1000", Precision::kBFloat16), 0);
  EXPECT_EQ(peak_flops_of("NVIDIA H100 80GB HBM3 MIG 1g.10gb", Precision::kBFloat16), 0) << "a slice";
  EXPECT_EQ(peak_flops_of("NVIDIA A100-SXM4-40GB MIG 1g.5gb", Precision::kBFloat16), 0);
  EXPECT_EQ(peak_flops_of("NVIDIA A10-24Q", Precision::kBFloat16), 0) << "virtual";
  EXPECT_EQ(peak_flops("cpu", Precision::kFloat32), 0);
}

}  // namespace
}  // namespace lockstep::model
