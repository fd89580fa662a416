#include "launcher/errors.h"

#include <gtest/gtest.h>

#include <new>

namespace lockstep {
namespace {

constexpr const char* kNoMemory =
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "226492416 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10::ThrowEnforceNotMet + 0x6a";

TEST(ErrorOfLibTorch, IsToldWithoutItsCallStack) {
  const char* const words = "The size of tensor a (3) must match\nException raised from infer_size at Expand.cpp:30";
  EXPECT_EQ(problem_of(std::runtime_error(words)).message, "The size of tensor a (3) must match");
}

TEST(OutOfMemory, IsToldInTheSameWordsWhoeverMeetsIt) {
  EXPECT_EQ(problem_of(std::bad_alloc()).message, "out of memory");
  EXPECT_EQ(problem_of(std::runtime_error(kNoMemory)).message, "out of memory");
  EXPECT_EQ(problem_of(std::runtime_error("CUDA out of memory. Tried to allocate 2 GiB")).message, "out of memory");
}

TEST(OutOfMemory, OfATrainingNamesTheOptionsThatNeedLess) {
  const std::string words = problem_in_training(std::bad_alloc()).message;
  EXPECT_NE(words.find("out of memory; more --gradient_accumulation_steps"), std::string::npos) << words;
}

}  // namespace
}  // namespace lockstep
