#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::model {

/// Counts of (label, prediction) pairs; all that evaluation keeps, whatever the number of examples.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int64_t classes);
  void add(std::span<const float> logits, std::span<const int32_t> labels);  // row-major [rows * classes]
  int64_t classes() const { return classes_; }
  int64_t total() const;
  int64_t at(int64_t label, int64_t prediction) const;
  std::span<int64_t> counts() { return counts_; }  // [label * classes + prediction], to sum over ranks
  std::span<const int64_t> counts() const { return counts_; }

 private:
  int64_t classes_;
  std::vector<int64_t> counts_;
};

/// Precision, recall and F1 of class 1 for two classes, their unweighted (macro) means otherwise; 0 where undefined, as
/// scikit-learn.
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

}  // namespace lockstep::model
