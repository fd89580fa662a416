#include "dist/nccl_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace lockstep::dist {
namespace {

/// What NCCL finds in NCCL_NVLS_ENABLE after a start with these variables; null: not set.
std::string nvls_with(const char* algorithm, const char* nvls) {
  for (const auto& [name, value] : {std::pair("NCCL_ALGO", algorithm), std::pair("NCCL_NVLS_ENABLE", nvls)}) {
    unsetenv(name);
    if (value != nullptr) setenv(name, value, 1);
  }
  keep_sums_in_one_order();
  const char* found = std::getenv("NCCL_NVLS_ENABLE");
  return found == nullptr ? "not set" : found;
}

TEST(NcclEnvironment, TurnsNvlsOffUnlessTheUserSaidSomething) {
  EXPECT_EQ(nvls_with(nullptr, nullptr), "0");
  EXPECT_EQ(nvls_with(nullptr, "1"), "1");
  EXPECT_EQ(nvls_with("Ring", nullptr), "not set");
  EXPECT_EQ(nvls_with("NVLS", nullptr), "not set");
}

}  // namespace
}  // namespace lockstep::dist
