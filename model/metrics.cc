#include "model/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "model/distilbert.h"

namespace lockstep::model {
namespace {

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

struct ClassScores {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

ClassScores scores_of(const ConfusionMatrix& matrix, int64_t label) {
  int64_t predicted = 0;
  int64_t present = 0;
  for (int64_t other = 0; other < matrix.classes(); ++other) {
    predicted += matrix.at(other, label);
    present += matrix.at(label, other);
  }
  const int64_t hits = matrix.at(label, label);
  return {ratio(hits, predicted), ratio(hits, present), ratio(2 * hits, predicted + present)};
}

/// Classes per row, and that the rows fill `logits` and every label is one of them.
int64_t checked_classes(std::span<const float> logits, std::span<const int32_t> labels, int64_t classes) {
  if (labels.size() * static_cast<size_t>(classes) != logits.size())
    throw std::invalid_argument("found " + std::to_string(logits.size()) + " logits for " +
                                std::to_string(labels.size()) + " labels of " + std::to_string(classes) + " classes");
  for (const int32_t label : labels)
    if (label < 0 || label >= classes)
      throw std::invalid_argument("found label " + std::to_string(label) + ", expected 0 to " +
                                  std::to_string(classes - 1));
  return classes;
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(int64_t classes) : classes_(classes) {
  if (classes < 1) throw std::invalid_argument("a confusion matrix of " + std::to_string(classes) + " classes");
  counts_.assign(static_cast<size_t>(classes * classes), 0);
}

void ConfusionMatrix::add(std::span<const float> logits, std::span<const int32_t> labels) {
  checked_classes(logits, labels, classes_);
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto values = logits.subspan(row * classes_, classes_);
    const auto prediction = std::max_element(values.begin(), values.end()) - values.begin();
    ++counts_[labels[row] * classes_ + prediction];
  }
}

int64_t ConfusionMatrix::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
}

int64_t ConfusionMatrix::at(int64_t label, int64_t prediction) const {
  return counts_.at(static_cast<size_t>(label * classes_ + prediction));
}

ClassificationMetrics metrics_of(const ConfusionMatrix& matrix) {
  ClassificationMetrics result;
  int64_t correct = 0;
  for (int64_t label = 0; label < matrix.classes(); ++label)
    correct += matrix.at(label, label);
  result.accuracy = ratio(correct, matrix.total());
  const bool binary = matrix.classes() == 2;
  const double weight = binary ? 1.0 : 1.0 / static_cast<double>(matrix.classes());
  for (int64_t label = binary ? 1 : 0; label < matrix.classes(); ++label) {
    const ClassScores scores = scores_of(matrix, label);
    result.precision += weight * scores.precision;
    result.recall += weight * scores.recall;
    result.f1 += weight * scores.f1;
  }
  return result;
}

Interval wilson_interval(int64_t successes, int64_t trials) {
  if (trials <= 0) return {};
  constexpr double kZ = 1.959963984540054;  // the normal distribution's 97.5 % quantile
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double scale = 1 / (1 + kZ * kZ / n);
  const double centre = scale * (p + kZ * kZ / (2 * n));
  const double half = scale * kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

double cross_entropy_sum(std::span<const float> logits, std::span<const int32_t> labels) {
  if (labels.empty() && logits.empty()) return 0;
  if (labels.empty()) throw std::invalid_argument("logits without labels");
  const int64_t classes = checked_classes(logits, labels, static_cast<int64_t>(logits.size() / labels.size()));
  double sum = 0;
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto values = logits.subspan(row * classes, classes);
    const double largest = *std::max_element(values.begin(), values.end());
    double total = 0;
    for (const float value : values)
      total += std::exp(value - largest);
    sum += largest + std::log(total) - values[labels[row]];
  }
  return sum;
}

}  // namespace lockstep::model
