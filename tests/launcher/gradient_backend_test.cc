#include "launcher/loop/gradient_backend.h"

#include <gtest/gtest.h>

#include "launcher/errors.h"

namespace lockstep {
namespace {

TEST(GradientBackend, IsNcclBetweenGpusAndMpiBetweenCpus) {
  EXPECT_EQ(choose_gradient_backend("auto", "cuda:1", 2), GradientBackend::kNccl);
  EXPECT_EQ(choose_gradient_backend("nccl", "cuda:1", 2), GradientBackend::kNccl);
  EXPECT_EQ(choose_gradient_backend("auto", "cpu", 2), GradientBackend::kMpi);
  EXPECT_EQ(choose_gradient_backend("mpi", "cpu", 2), GradientBackend::kMpi);
}

TEST(GradientBackend, IsMpiBetweenGpusWhereItIsAskedFor) {
  EXPECT_EQ(choose_gradient_backend("mpi", "cuda:0", 2), GradientBackend::kMpi);
}

TEST(GradientBackend, IsNoneForOneRank) {
  for (const char* wanted : {"auto", "mpi"})
    for (const char* device : {"cpu", "cuda:0"})
      EXPECT_EQ(choose_gradient_backend(wanted, device, 1), GradientBackend::kNone);
}

TEST(GradientBackend, NcclBetweenCpusIsRefused) {
  EXPECT_THROW(choose_gradient_backend("nccl", "cpu", 2), SettingsError);
  EXPECT_THROW(choose_gradient_backend("nccl", "cpu", 1), SettingsError);
}

}  // namespace
}  // namespace lockstep
