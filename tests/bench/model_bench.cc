// Training and evaluation of a MiniLM-sized model (6 layers x 384) on the CPU, beside the rate of matrix products that
// the machine reaches in the same run. Rates are per second of user CPU time of all threads, which other work on the
// machine disturbs less than wall time: a machine with n idle cores does n times as much.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cmath>
#include <random>

#include "model/attention.h"
#include "model/distilbert.h"
#include "model/optimizer.h"
#include "model/row_operations.h"

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

/// Sixteen examples whose lengths have the quantiles of IMDB's training split at 512 tokens, 276 on average, up to
/// `shift` more or less.
struct Batch {
  static constexpr int32_t kLengths[] = {62, 96, 122, 140, 158, 178, 200, 226, 252, 288, 330, 382, 450, 512, 512, 512};
  std::vector<int32_t> ids, offsets = {0}, labels;
  std::vector<int64_t> example_ids;

  explicit Batch(int32_t shift = 0) {
    std::mt19937 random(1);
    for (const int32_t length : kLengths)
      add(std::min(512, length + shift), random);
  }
  void add(int32_t length, std::mt19937& random) {
    for (int32_t i = 0; i < length; ++i)
      ids.push_back(static_cast<int32_t>(1000 + random() % 20000));
    offsets.push_back(static_cast<int32_t>(ids.size()));
    labels.push_back(static_cast<int32_t>(labels.size() % 2));
    example_ids.push_back(static_cast<int64_t>(example_ids.size()));
  }
  PackedInput input() const { return {ids, offsets, labels, example_ids}; }
  double forward_gflop(const DistilBertConfig& config) const {
    double sum = 0;
    for (size_t i = 1; i < offsets.size(); ++i)
      sum += arithmetic_of(config, offsets[i] - offsets[i - 1]);
    return 1e-9 * sum;
  }
};

/// No two steps in a row have as many tokens.
class Batches {
 public:
  const Batch& next() { return batches_[next_++ % batches_.size()]; }

 private:
  std::vector<Batch> batches_ = {Batch(0), Batch(7), Batch(-7), Batch(3), Batch(-3)};
  size_t next_ = 0;
};

Precision precision_of(const benchmark::State& state) {
  return state.range(0) == 16 ? Precision::kBFloat16 : Precision::kFloat32;
}

/// Forward, backward and update of one step of 16. GFLOP are those that have to be done.
void step(benchmark::State& state) {
  DistilBert model(mini_lm(), "cpu", precision_of(state));
  model.initialize(1, false);
  AdamW optimizer(model, {});
  Batches batches;
  int64_t number = 0;
  measure(state, 16, 3 * Batch().forward_gflop(model.config()), [&] {
    model.forward_backward(batches.next().input(), 1, number++, 1.0 / 16);
    optimizer.step(1e-5);
  });
}
BENCHMARK(step)->ArgName("bits")->Arg(32)->Arg(16)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

void evaluation(benchmark::State& state) {
  DistilBert model(mini_lm(), "cpu", precision_of(state));
  model.initialize(1, false);
  Batches batches;
  measure(state, 16, Batch().forward_gflop(model.config()), [&] { model.logits(batches.next().input()); });
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

/// What the parts below work on: rows of one layer, 4 420 tokens.
struct Rows4420 {
  explicit Rows4420(at::ScalarType of_rows) : type(of_rows) {}
  at::Tensor of(int64_t columns) const { return at::randn({batch.offsets.back(), columns}).to(type); }

  at::ScalarType type;
  Batch batch;
  Examples examples{batch.offsets, batch.example_ids};
  Mask mask(DropoutSite site) const { return {examples, {{.seed = 1, .layer = 1, .site = site}, 0.1}}; }
};
Rows4420 rows_of_layer(const benchmark::State& state) {
  return Rows4420(precision_of(state) == Precision::kBFloat16 ? at::kBFloat16 : at::kFloat);
}

/// Whether a part is done by plain tensor operations, as on devices: what it cost before it had kernels of its own.
bool is_plain(const benchmark::State& state) {
  return state.range(1) == 1;
}
void precisions_of_both(benchmark::internal::Benchmark* part) {
  part->ArgNames({"bits", "plain"})->ArgsProduct({{32, 16}, {1, 0}});
  part->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();
}

/// Forward and backward of one layer's attention with dropout: two products of a head and five, by length squared.
void attention(benchmark::State& state) {
  const Rows4420 rows = rows_of_layer(state);
  const DistilBertConfig config = mini_lm();
  Attention attention(config.n_heads, config.head_dim());
  const at::Tensor qkv = rows.of(3 * config.dim), d_context = rows.of(config.dim);
  const at::Tensor context = at::empty_like(d_context), d_qkv = at::empty_like(qkv);
  const auto parts = [&](const at::Tensor& all) {
    return Projections{all.narrow(1, 0, 384), all.narrow(1, 384, 384), all.narrow(1, 768, 384)};
  };
  double squares = 0;
  for (int64_t i = 0; i < rows.examples.count(); ++i)
    squares += std::pow(static_cast<double>(rows.examples.length(i)), 2);
  const Mask mask = rows.mask(DropoutSite::kAttention);
  AttentionState kept;
  const AttentionRows both = {rows.examples, rows.examples};
  measure(state, 0, 7 * 2e-9 * squares * static_cast<double>(config.dim), [&] {
    if (is_plain(state)) {
      attention.forward_on_device(parts(qkv), both, mask.place, context);
      attention.backward_on_device(parts(qkv), d_context, both, mask.place, parts(d_qkv));
    } else {
      attention.forward_on_host(parts(qkv), both, mask.place, context, kept);
      attention.backward_on_host(parts(qkv), context, d_context, kept, both, mask.place, parts(d_qkv));
    }
  });
}
BENCHMARK(attention)->Apply(precisions_of_both);

/// Forward and backward of dropout, residual and LayerNorm after one layer's feed-forward.
void residual_layer_norm(benchmark::State& state) {
  const Rows4420 rows = rows_of_layer(state);
  const Norm norm = {at::ones({384}), at::zeros({384}), at::zeros({384}), at::zeros({384})};
  NormState kept = {rows.of(384), {}, {}};
  const at::Tensor residual = rows.of(384);
  at::Tensor out, gradient = rows.of(384), branch;
  const auto forward = is_plain(state) ? residual_norm_on_device : residual_norm_on_host;
  const auto backward = is_plain(state) ? residual_norm_backward_on_device : residual_norm_backward_on_host;
  measure(state, 0, 0, [&] {
    forward(norm, kept, residual, rows.mask(DropoutSite::kFeedForward), out);
    backward(norm, kept, rows.mask(DropoutSite::kFeedForward), gradient, branch, {});
  });
}
BENCHMARK(residual_layer_norm)->Apply(precisions_of_both);

/// Forward and backward of GELU in one layer's feed-forward.
void gelu(benchmark::State& state) {
  const Rows4420 rows = rows_of_layer(state);
  const at::Tensor hidden = rows.of(1536), sums = at::zeros({1536});
  at::Tensor out, gradient = rows.of(1536);
  const auto forward = is_plain(state) ? activate_on_device : activate_on_host;
  const auto backward = is_plain(state) ? activate_backward_on_device : activate_backward_on_host;
  measure(state, 0, 0, [&] {
    forward(Activation::kGelu, hidden, out);
    backward(Activation::kGelu, hidden, gradient, out, sums);
  });
}
BENCHMARK(gelu)->Apply(precisions_of_both);

/// The draws of a million elements.
void dropout_mask(benchmark::State& state) {
  std::vector<uint16_t> draws(1 << 20);
  measure(state, 0, 0, [&] { dropout_draws(draws.data(), 1 << 20, 0, {}); });
}
BENCHMARK(dropout_mask)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

}  // namespace
}  // namespace lockstep::model
