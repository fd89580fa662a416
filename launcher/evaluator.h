#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "data/sharded_dataset.h"
#include "model/distilbert.h"
#include "model/metrics.h"

namespace lockstep {

/// One evaluation of one split. Counts only: its memory does not grow with the number of examples.
struct EvalResult {
  double loss = 0;  // mean cross-entropy
  model::ConfusionMatrix confusion{2};
  model::ClassificationMetrics metrics;
  double seconds = 0;

  int64_t examples() const { return confusion.total(); }
  /// "loss", "accuracy", "precision", "recall" or "f1".
  double value_of(const std::string& metric) const;
};

/// Loss and counts of a part of an evaluation, which add up over ranks.
struct EvalCounts {
  double loss_sum = 0;
  model::ConfusionMatrix confusion{2};
};

/// Which batches of an evaluation: part `index` of `parts`. Batches are formed first and dealt whole, so that the
/// numbers do not depend on who computes them.
struct EvalPart {
  int64_t batch_size = 8;
  int max_length = 512;
  int index = 0;
  int parts = 1;
};

/// Runs this part's batches through the model (no dropout). Throws NumericError where the model answers NaN. Before
/// each batch it calls `go_on(n)`, n examples so far; where that says no it returns what it has counted.
EvalCounts evaluate_part(model::DistilBert& model, const data::ShardedDataset& dataset,
                         std::span<const int64_t> examples, const EvalPart& part,
                         const std::function<bool(int64_t)>& go_on = {});

/// Throws NumericError if a logit is NaN or infinite: no label can be read off it.
void require_finite(std::span<const float> logits);

EvalResult result_of(const EvalCounts& counts, double seconds);

}  // namespace lockstep
