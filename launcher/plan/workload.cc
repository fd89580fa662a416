#include "launcher/plan/workload.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lockstep {

namespace {

/// What `lockstep plan --dataset` says of IMDB's training split (25 000 reviews, at most 512 tokens, the vocabulary of
/// BERT uncased).
struct RowsOfBatch {
  double batch, rows;
};
constexpr double kImdbMeanLength = 275.30;
constexpr RowsOfBatch kImdbRows[] = {{1, 151},      {2, 268},      {4, 465},       {8, 796},
                                     {16, 1336},    {32, 2193},    {64, 3489},     {128, 5340},
                                     {256, 7803},   {512, 10808},  {1024, 14122},  {2048, 17392},
                                     {4096, 20279}, {8192, 22582}, {16384, 24279}, {25000, 25053}};

/// Of as many tokens as `batch` reviews have. Linear in the logarithms; beyond the last point, its rows.
double imdb_rows(double batch) {
  const auto* upper = std::find_if(std::begin(kImdbRows), std::end(kImdbRows),
                                   [&](const RowsOfBatch& point) { return point.batch >= batch; });
  if (upper == std::end(kImdbRows)) return std::end(kImdbRows)[-1].rows;
  if (upper == std::begin(kImdbRows)) return upper->rows * batch / upper->batch;
  const RowsOfBatch& lower = upper[-1];
  const double part = std::log(batch / lower.batch) / std::log(upper->batch / lower.batch);
  return lower.rows * std::pow(upper->rows / lower.rows, part);
}

/// C(all - with, batch) / C(all, batch): that none of `batch` of `all` examples is one of `with`.
double probability_of_absence(int64_t all, int64_t with, int64_t batch) {
  if (with + batch > all) return 0;
  const auto log_factorial = [](int64_t n) { return std::lgamma(static_cast<double>(n) + 1); };
  return std::exp(log_factorial(all - with) + log_factorial(all - batch) - log_factorial(all - with - batch) -
                  log_factorial(all));
}

double counted_rows(const Workload& workload, int64_t batch) {
  double rows = 0;
  for (const auto& [examples, words] : workload.words_by_examples)
    rows += static_cast<double>(words) * (1 - probability_of_absence(workload.examples, examples, batch));
  return rows;
}

}  // namespace

Workload workload_of(const data::ShardedDataset& dataset, int max_length) {
  Workload workload;
  workload.name = dataset.manifest().name;
  workload.examples = dataset.size();
  const auto vocabulary = static_cast<size_t>(dataset.manifest().vocabulary_size);
  std::vector<int64_t> examples_with(vocabulary), last_seen(vocabulary, -1);
  for (int64_t example = 0; example < dataset.size(); ++example) {
    const std::vector<int32_t> ids = data::pack(dataset, {&example, 1}, max_length).ids;
    const auto length = static_cast<double>(ids.size());
    workload.mean_length += length / static_cast<double>(dataset.size());
    workload.mean_square_of_length += length * length / static_cast<double>(dataset.size());
    for (const int32_t id : ids)
      if (std::exchange(last_seen[static_cast<size_t>(id)], example) != example)
        ++examples_with[static_cast<size_t>(id)];
  }
  for (const int64_t examples : examples_with)
    if (examples > 0) ++workload.words_by_examples[examples];
  return workload;
}

Workload imdb_workload() {
  return {"texts like IMDB's", 25000, kImdbMeanLength, 95212, {}};
}

double touched_rows(const Workload& workload, int64_t batch, int64_t vocabulary) {
  const double rows = workload.words_by_examples.empty()
                          ? imdb_rows(static_cast<double>(batch) * workload.mean_length / kImdbMeanLength)
                          : counted_rows(workload, std::min(batch, workload.examples));
  return std::min(rows, static_cast<double>(vocabulary));
}

// arithmetic_of is a polynomial of degree two in the length, so that its mean follows from the mean length and square.
double arithmetic_per_example(const model::DistilBertConfig& config, const Workload& workload) {
  const double at_0 = model::arithmetic_of(config, 0), at_1 = model::arithmetic_of(config, 1);
  const double quadratic = (model::arithmetic_of(config, 2) - 2 * at_1 + at_0) / 2;
  const double linear = at_1 - at_0 - quadratic;
  return 3 * (at_0 + linear * workload.mean_length + quadratic * workload.mean_square_of_length);
}

}  // namespace lockstep
