#include "dist/bfloat16.h"

#include <gtest/gtest.h>

#include <limits>

namespace lockstep::dist {
namespace {

float rounded(float value) {
  return float_of(bfloat16_of(value));
}

TEST(BFloat16, KeepsWhatHasEightSignificantBits) {
  for (const float value : {0.0F, 1.0F, -1.5F, 255.0F, 0x1.FEp-126F, 0x1p-133F, std::numeric_limits<float>::infinity()})
    EXPECT_EQ(rounded(value), value);
}

TEST(BFloat16, RoundsToTheNearestAndToEvenOnATie) {
  EXPECT_EQ(rounded(257.0F), 256.0F);
  EXPECT_EQ(rounded(259.0F), 260.0F);
  EXPECT_EQ(rounded(257.001F), 258.0F);
  EXPECT_EQ(rounded(-257.001F), -258.0F);
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
}

TEST(BFloat16, NanStaysNan) {
  EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(0x7F800001U))));
  EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(0xFFFFFFFFU))));
}

}  // namespace
}  // namespace lockstep::dist
