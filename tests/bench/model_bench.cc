// Training and evaluation of a MiniLM-sized model (6 layers x 384) on the CPU, beside the rate of matrix products that
// the machine reaches in the same run. Rates are per second of user CPU time of all threads, which other work on the
// machine disturbs less than wall time: a machine with n idle cores does n times as much.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <numeric>
#include <random>

#include "model/distilbert.h"
#include "model/optimizer.h"

namespace lockstep::model {
namespace {

double user_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + 1e-6 * static_cast<double>(usage.ru_utime.tv_usec);
}

/// Runs `work` and reports per iteration its user CPU time, and per second of that `examples` and `gflop`.
template <class Work>
void measure(benchmark::State& state, double examples, double gflop, Work work) {
  work();  // buffers, caches
  const double before = user_seconds();
  for (auto _ : state)
    work();
  const double seconds = (user_seconds() - before) / static_cast<double>(state.iterations());
  state.counters["user_ms"] = 1e3 * seconds;
  if (examples > 0) state.counters["examples_per_user_s"] = examples / seconds;
  if (gflop > 0) state.counters["GFLOP_per_user_s"] = gflop / seconds;
}

DistilBertConfig mini_lm() {
  DistilBertConfig config;
  config.dim = 384;
  config.hidden_dim = 1536;
  return config;
}

/// Sixteen examples whose lengths have the quantiles of IMDB's training split at 512 tokens: 276 on average.
struct Batch {
  static constexpr int32_t kLengths[] = {62, 96, 122, 140, 158, 178, 200, 226, 252, 288, 330, 382, 450, 512, 512, 512};
  std::vector<int32_t> ids, offsets = {0}, labels;
  std::vector<int64_t> example_ids;

  Batch() {
    std::mt19937 random(1);
    for (const int32_t length : kLengths) {
      for (int32_t i = 0; i < length; ++i)
        ids.push_back(static_cast<int32_t>(1000 + random() % 20000));
      offsets.push_back(static_cast<int32_t>(ids.size()));
      labels.push_back(static_cast<int32_t>(labels.size() % 2));
      example_ids.push_back(static_cast<int64_t>(example_ids.size()));
    }
  }
  PackedInput input() const { return {ids, offsets, labels, example_ids}; }
  double forward_gflop(const DistilBertConfig& config) const {
    double sum = 0;
    for (const int32_t length : kLengths)
      sum += arithmetic_of(config, length);
    return 1e-9 * sum;
  }
};

Precision precision_of(const benchmark::State& state) {
  return state.range(0) == 16 ? Precision::kBFloat16 : Precision::kFloat32;
}

/// Forward, backward and update of one step of 16. Its GFLOP are those of the whole network, whatever was left out.
void step(benchmark::State& state) {
  DistilBert model(mini_lm(), "cpu", precision_of(state));
  model.initialize(1, false);
  AdamW optimizer(model, {});
  const Batch batch;
  int64_t number = 0;
  measure(state, 16, 3 * batch.forward_gflop(model.config()), [&] {
    model.forward_backward(batch.input(), 1, number++, 1.0 / 16);
    optimizer.step(1e-5);
  });
}
BENCHMARK(step)->ArgName("bits")->Arg(32)->Arg(16)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

void evaluation(benchmark::State& state) {
  DistilBert model(mini_lm(), "cpu", precision_of(state));
  model.initialize(1, false);
  const Batch batch;
  measure(state, 16, batch.forward_gflop(model.config()), [&] { model.logits(batch.input()); });
}
BENCHMARK(evaluation)->ArgName("bits")->Arg(32)->Arg(16)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

/// What a linear layer of the feed-forward does for 4 416 tokens.
void product(benchmark::State& state) {
  const auto type = at::TensorOptions(precision_of(state) == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat);
  const at::Tensor rows = at::ones({4416, 384}, type);
  const at::Tensor weight = at::ones({1536, 384}, type);
  at::Tensor out = at::empty({4416, 1536}, type);
  measure(state, 0, 2e-9 * 4416 * 384 * 1536, [&] { at::mm_out(out, rows, weight.t()); });
}
BENCHMARK(product)->ArgName("bits")->Arg(32)->Arg(16)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

}  // namespace
}  // namespace lockstep::model
