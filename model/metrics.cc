#include "model/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/distilbert.h"

namespace lockstep::model {
namespace {

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// What scores of one class are made of.
struct ClassCounts {
  int64_t hits = 0;
  int64_t predicted = 0;
  int64_t present = 0;

  bool occurs() const { return predicted + present > 0; }
};

std::vector<ClassCounts> counts_of_classes(const ConfusionMatrix& matrix) {
  std::vector<ClassCounts> counts(static_cast<size_t>(matrix.classes()));
  for (const auto& [cell, count] : matrix.cells()) {
    const auto [label, prediction] = std::lldiv(cell, matrix.classes());
    counts[label].present += count;
    counts[prediction].predicted += count;
    if (label == prediction) counts[label].hits += count;
  }
  return counts;
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
  if (classes < 1 || classes > kMostLabels)
    throw std::invalid_argument("a confusion matrix of " + std::to_string(classes) + " classes, expected 1 to " +
                                std::to_string(kMostLabels));
}

void ConfusionMatrix::add(std::span<const float> logits, std::span<const int32_t> labels) {
  checked_classes(logits, labels, classes_);
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto values = logits.subspan(row * classes_, classes_);
    const auto prediction = std::max_element(values.begin(), values.end()) - values.begin();
    ++cells_[labels[row] * classes_ + prediction];
  }
}

void ConfusionMatrix::add_to(int64_t cell, int64_t count) {
  if (cell < 0 || cell >= classes_ * classes_)
    throw std::invalid_argument("found cell " + std::to_string(cell) + " of a confusion matrix of " +
                                std::to_string(classes_) + " classes");
  if (count < 0) throw std::invalid_argument("a count of " + std::to_string(count) + " in a confusion matrix");
  if (count != 0) cells_[cell] += count;
}

int64_t ConfusionMatrix::total() const {
  int64_t sum = 0;
  for (const auto& [cell, count] : cells_)
    sum += count;
  return sum;
}

int64_t ConfusionMatrix::correct() const {
  int64_t sum = 0;
  for (const auto& [cell, count] : cells_)
    if (cell % (classes_ + 1) == 0) sum += count;  // the diagonal
  return sum;
}

int64_t ConfusionMatrix::at(int64_t label, int64_t prediction) const {
  const auto found = cells_.find(label * classes_ + prediction);
  return found == cells_.end() ? 0 : found->second;
}

ClassificationMetrics metrics_of(const ConfusionMatrix& matrix) {
  ClassificationMetrics result;
  result.accuracy = ratio(matrix.correct(), matrix.total());
  std::vector<ClassCounts> classes = counts_of_classes(matrix);
  if (classes.size() == 2)
    classes.erase(classes.begin());
  else
    std::erase_if(classes, [](const ClassCounts& counts) { return !counts.occurs(); });
  for (const auto& [hits, predicted, present] : classes) {
    const double weight = 1.0 / static_cast<double>(classes.size());
    result.precision += weight * ratio(hits, predicted);
    result.recall += weight * ratio(hits, present);
    result.f1 += weight * ratio(2 * hits, predicted + present);
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
