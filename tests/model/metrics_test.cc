#include "model/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "model/distilbert.h"

namespace lockstep::model {
namespace {

/// Rows are labels, columns predictions.
ConfusionMatrix matrix_of(int64_t classes, const std::vector<int64_t>& counts) {
  ConfusionMatrix matrix(classes);
  for (size_t cell = 0; cell < counts.size(); ++cell)
    matrix.add_to(static_cast<int64_t>(cell), counts[cell]);
  return matrix;
}

TEST(ConfusionMatrix, CountsTheLargestLogitOfEachRow) {
  ConfusionMatrix matrix(2);
  const float logits[] = {1, 0, -3, -2, 0, 5};
  const int32_t labels[] = {0, 1, 0};
  matrix.add(logits, labels);
  EXPECT_EQ(matrix.at(0, 0), 1);
  EXPECT_EQ(matrix.at(1, 1), 1);
  EXPECT_EQ(matrix.at(0, 1), 1);
  EXPECT_EQ(matrix.total(), 3);
}

TEST(ConfusionMatrix, RefusesRowsThatDoNotMatchTheirLabels) {
  ConfusionMatrix matrix(2);
  const float logits[] = {1, 0, 3};
  const int32_t one[] = {0};
  const int32_t outside[] = {2};
  EXPECT_THROW(matrix.add(logits, one), std::invalid_argument);
  EXPECT_THROW(matrix.add(std::span(logits).first(2), outside), std::invalid_argument);
  EXPECT_EQ(matrix.total(), 0);
}

TEST(ConfusionMatrix, OfManyClassesTakesMemoryForPairsThatOccur) {
  constexpr int64_t kClasses = kMostLabels;  // all pairs would take 34 GB
  ConfusionMatrix matrix(kClasses);
  matrix.add_to(kClasses * kClasses - 1, 2);
  EXPECT_THROW(matrix.add_to(kClasses * kClasses, 1), std::invalid_argument);
  EXPECT_EQ(matrix.at(kClasses - 1, kClasses - 1), 2);
  EXPECT_EQ(metrics_of(matrix).accuracy, 1);
}

TEST(ConfusionMatrix, RefusesMoreClassesThanAModelHasAndCountsBelowZero) {
  for (const int64_t classes : {int64_t{-1}, int64_t{0}, kMostLabels + 1, int64_t{1} << 32})
    EXPECT_THROW(ConfusionMatrix{classes}, std::invalid_argument) << classes;
  ConfusionMatrix matrix(2);
  EXPECT_THROW(matrix.add_to(0, -1), std::invalid_argument);
  EXPECT_EQ(matrix.total(), 0);
}

TEST(Metrics, OfTwoClassesScoreClassOne) {
  const auto metrics = metrics_of(matrix_of(2, {50, 10, 5, 35}));
  EXPECT_DOUBLE_EQ(metrics.accuracy, 0.85);
  EXPECT_DOUBLE_EQ(metrics.precision, 35.0 / 45);
  EXPECT_DOUBLE_EQ(metrics.recall, 35.0 / 40);
  EXPECT_DOUBLE_EQ(metrics.f1, 70.0 / 85);
}

TEST(Metrics, OfThreeClassesAreUnweightedMeans) {
  const auto metrics = metrics_of(matrix_of(3, {4, 1, 0, 2, 6, 2, 0, 0, 5}));
  EXPECT_DOUBLE_EQ(metrics.accuracy, 0.75);
  EXPECT_NEAR(metrics.precision, (4.0 / 6 + 6.0 / 7 + 5.0 / 7) / 3, 1e-15);
  EXPECT_NEAR(metrics.recall, (4.0 / 5 + 6.0 / 10 + 5.0 / 5) / 3, 1e-15);
  EXPECT_NEAR(metrics.f1, (8.0 / 11 + 12.0 / 17 + 10.0 / 12) / 3, 1e-15);
}

TEST(Metrics, OfManyClassesAreMeansOverThoseThatOccur) {
  const auto perfect = metrics_of(matrix_of(3, {4, 0, 0, 0, 6, 0, 0, 0, 0}));
  EXPECT_EQ(perfect.f1, 1);
  EXPECT_EQ(perfect.precision, 1);
  EXPECT_EQ(perfect.recall, 1);
  const auto third_predicted = metrics_of(matrix_of(3, {3, 0, 1, 0, 6, 0, 0, 0, 0}));
  EXPECT_NEAR(third_predicted.recall, (3.0 / 4 + 1 + 0) / 3, 1e-15);
}

TEST(Metrics, AreZeroWhereUndefined) {
  const auto none_predicted = metrics_of(matrix_of(2, {7, 0, 3, 0}));
  EXPECT_EQ(none_predicted.precision, 0);
  EXPECT_EQ(none_predicted.recall, 0);
  EXPECT_EQ(none_predicted.f1, 0);
  EXPECT_DOUBLE_EQ(none_predicted.accuracy, 0.7);
  EXPECT_EQ(metrics_of(ConfusionMatrix(2)).accuracy, 0);
}

TEST(WilsonInterval, AgreesWithPublishedValues) {
  // Newcombe (1998), table I, method 3.
  const Interval middle = wilson_interval(81, 263);
  EXPECT_NEAR(middle.low, 0.2553, 5e-5);
  EXPECT_NEAR(middle.high, 0.3662, 5e-5);
  const Interval few = wilson_interval(1, 29);
  EXPECT_NEAR(few.low, 0.0061, 5e-5);
  EXPECT_NEAR(few.high, 0.1718, 5e-5);
  const Interval none = wilson_interval(0, 20);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.1611, 5e-5);
}

TEST(WilsonInterval, OfNoTrialsIsEverything) {
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(CrossEntropy, IsTheNegativeLogProbabilityOfTheLabel) {
  const float logits[] = {0, 0, 1, 3};
  const int32_t labels[] = {1, 0};
  EXPECT_NEAR(cross_entropy_sum(logits, labels), std::log(2.0) + 2 + std::log1p(std::exp(-2.0)), 1e-12);
}

TEST(CrossEntropy, OfHugeLogitsStaysFinite) {
  const float logits[] = {3e4F, -3e4F};
  const int32_t labels[] = {1};
  EXPECT_DOUBLE_EQ(cross_entropy_sum(logits, labels), 6e4);
}

}  // namespace
}  // namespace lockstep::model
