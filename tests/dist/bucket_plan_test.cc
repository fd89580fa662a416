#include "dist/bucket_plan.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace lockstep::dist {
namespace {

constexpr BucketPlanOptions in_floats(int64_t first, int64_t cap) {
  return {first * static_cast<int64_t>(sizeof(float)), cap * static_cast<int64_t>(sizeof(float))};
}

std::vector<Bucket> plan_of(std::vector<int64_t> sizes, const BucketPlanOptions& options) {
  return plan_buckets(sizes, options);
}

TEST(BucketPlan, NoParametersGiveNoBuckets) {
  EXPECT_TRUE(plan_of({}, {}).empty());
}

TEST(BucketPlan, ParametersThatFitShareABucket) {
  EXPECT_EQ(plan_of({3, 4, 3}, in_floats(10, 10)), (std::vector<Bucket>{{0, 10}}));
}

TEST(BucketPlan, ABucketClosesBeforeItWouldPassItsCap) {
  EXPECT_EQ(plan_of({3, 4, 4}, in_floats(10, 10)), (std::vector<Bucket>{{0, 7}, {7, 11}}));
}

TEST(BucketPlan, TheFirstBucketHasItsOwnSmallerCap) {
  EXPECT_EQ(plan_of({2, 2, 2, 2, 2}, in_floats(4, 6)), (std::vector<Bucket>{{0, 4}, {4, 10}}));
}

TEST(BucketPlan, AParameterLargerThanTheCapIsABucketOfItsOwn) {
  EXPECT_EQ(plan_of({1, 50, 1, 1}, in_floats(4, 10)), (std::vector<Bucket>{{0, 1}, {1, 51}, {51, 53}}));
}

TEST(BucketPlan, ALargeFirstParameterIsTheFirstBucket) {
  EXPECT_EQ(plan_of({50, 1}, in_floats(4, 10)), (std::vector<Bucket>{{0, 50}, {50, 51}}));
}

TEST(BucketPlan, DefaultsAreOneAndTwentyFiveMebibytes) {
  constexpr int64_t kMebi = 1 << 18;  // floats in a mebibyte
  EXPECT_EQ(plan_of({kMebi, 24 * kMebi, kMebi, 1}, {}),
            (std::vector<Bucket>{{0, kMebi}, {kMebi, 26 * kMebi}, {26 * kMebi, 26 * kMebi + 1}}));
}

TEST(BucketPlan, EmptyParametersAndCapsAreRefused) {
  EXPECT_THROW(plan_of({3, 0}, {}), std::invalid_argument);
  EXPECT_THROW(plan_of({3}, in_floats(0, 10)), std::invalid_argument);
  EXPECT_THROW(plan_of({3}, in_floats(10, -1)), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::dist
