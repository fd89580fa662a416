#pragma once

#include <cstdint>
#include <map>
#include <span>

namespace lockstep::model {

/// Counts of (label, prediction) pairs; all that evaluation keeps. Only pairs that occur take memory: of thousands of
/// classes nearly none do.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int64_t classes);  // 1 to kMostLabels, or std::invalid_argument
  void add(std::span<const float> logits, std::span<const int32_t> labels);  // row-major [rows * classes]
  /// `count` more in cell label * classes() + prediction. Throws std::invalid_argument if there is no such cell, or
  /// for less than none.
  void add_to(int64_t cell, int64_t count);
  int64_t classes() const { return classes_; }
  int64_t total() const;
  int64_t correct() const;
  int64_t at(int64_t label, int64_t prediction) const;
  /// The counts that are not 0, by label * classes() + prediction.
  const std::map<int64_t, int64_t>& cells() const { return cells_; }
  bool operator==(const ConfusionMatrix&) const = default;

 private:
  int64_t classes_;
  std::map<int64_t, int64_t> cells_;
};

/// Precision, recall and F1 of class 1 for two classes; otherwise their unweighted (macro) means over the classes that
/// occur, as a label or as a prediction. 0 where undefined. So scikit-learn has it.
struct ClassificationMetrics {
  double accuracy = 0;
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};
ClassificationMetrics metrics_of(const ConfusionMatrix& matrix);

/// 95 % Wilson score interval of a proportion (Wilson, 1927): successes out of trials.
struct Interval {
  double low = 0;
  double high = 1;
};
Interval wilson_interval(int64_t successes, int64_t trials);

/// Sum over rows of the softmax cross-entropy of logits [rows * classes] against labels, in double.
double cross_entropy_sum(std::span<const float> logits, std::span<const int32_t> labels);

}  // namespace lockstep::model
