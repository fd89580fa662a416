#include "launcher/evaluator.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "launcher/batch_view.h"
#include "launcher/errors.h"
#include "model/metrics.h"

namespace lockstep {

double EvalResult::value_of(const std::string& metric) const {
  if (metric == "loss") return loss;
  if (metric == "accuracy") return metrics.accuracy;
  if (metric == "precision") return metrics.precision;
  if (metric == "recall") return metrics.recall;
  if (metric == "f1") return metrics.f1;
  throw std::invalid_argument("no such metric: " + metric);
}

EvalCounts evaluate_part(model::DistilBert& model, const data::ShardedDataset& dataset,
                         std::span<const int64_t> examples, const EvalPart& part,
                         const std::function<bool(int64_t)>& go_on) {
  EvalCounts counts{0, model::ConfusionMatrix(model.config().num_labels())};
  const auto batch_size = static_cast<size_t>(part.batch_size);
  int64_t seen = 0;
  for (size_t begin = part.index * batch_size; begin < examples.size(); begin += part.parts * batch_size) {
    if (go_on && !go_on(seen)) break;
    const auto members = examples.subspan(begin, std::min(batch_size, examples.size() - begin));
    const data::PackedBatch batch = data::pack(dataset, members, part.max_length);
    const std::vector<float> logits = model.logits(view_of(batch));
    require_finite(logits);
    counts.loss_sum += model::cross_entropy_sum(logits, batch.labels);
    counts.confusion.add(logits, batch.labels);
    seen += static_cast<int64_t>(members.size());
  }
  return counts;
}

void require_finite(std::span<const float> logits) {
  if (!std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); }))
    throw NumericError("the model's output is NaN or infinite; its weights are damaged, or its training diverged");
}

EvalResult result_of(const EvalCounts& counts, double seconds) {
  EvalResult result{0, counts.confusion, model::metrics_of(counts.confusion), seconds};
  const int64_t examples = result.examples();
  result.loss = examples > 0 ? counts.loss_sum / static_cast<double>(examples) : 0;
  return result;
}

}  // namespace lockstep
