// Whether a GPU's fused attention does what it is to do, found out on that GPU.
#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <vector>

#include "model/attention.h"

namespace lockstep::model {
namespace {

// The last is longer than three blocks of keys of the kernels: sums of three and more show the order of adding.
constexpr std::array<int32_t, 4> kOffsets = {0, 1, 38, 550}, kFirstRows = {0, 1, 2, 3};
constexpr std::array<int64_t, 3> kIds = {8, 70, 6};

at::Tensor on_device(const std::array<int32_t, 4>& offsets, at::Device device) {
  return at::tensor(at::ArrayRef<int32_t>(offsets), at::kInt).to(device);
}

/// A few ragged sequences, of all whose tokens or of whose first ones the queries are.
struct Trial {
  Trial(const at::TensorOptions& given, int64_t dim, const std::array<int32_t, 4>& queries)
      : options(given), rows{{queries, kIds}, {kOffsets, kIds}} {
    rows.queries.device_offsets = on_device(queries, options.device());
    rows.tokens.device_offsets = on_device(kOffsets, options.device());
    at::Generator generator = at::detail::createCPUGenerator(1);
    in = parts_of(at::randn({kOffsets.back(), 3 * dim}, generator, at::kFloat).to(options));
    d_context = at::randn({queries.back(), dim}, generator, at::kFloat).to(options);
  }

  /// As in a layer: parts of wider rows.
  Projections parts_of(const at::Tensor& all) const {
    const std::vector<at::Tensor> parts = all.chunk(3, 1);
    return {parts[0].narrow(0, 0, rows.queries.offsets.back()), parts[1], parts[2]};
  }

  at::TensorOptions options;
  AttentionRows rows;
  Projections in;
  at::Tensor d_context;
};

/// Context, and the gradients of queries, keys and values; with dropout, for the context itself as its gradient.
std::vector<at::Tensor> results_of(const Trial& trial, Attention& attention, const DropoutPlace& place) {
  const at::Tensor context = at::empty(trial.in.query.sizes(), trial.options);
  const int64_t tokens = trial.in.key.size(0), dim = trial.in.key.size(1);
  const Projections gradient = trial.parts_of(at::empty({tokens, 3 * dim}, trial.options));
  AttentionState state;
  attention.forward(trial.in, trial.rows, place, context, state);
  const at::Tensor& d_context = place.p > 0 ? context : trial.d_context;
  attention.backward(trial.in, context, d_context, state, trial.rows, place, gradient);
  return {context, gradient.query, gradient.key, gradient.value};
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor reference = b.to(at::kDouble);
  return ((a.to(at::kDouble) - reference).norm() / reference.norm()).item<double>();
}

double product(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
}

/// Context is linear in the values: if backward has forward's mask, <context, context> = <d_values, values>, with the
/// context as its own gradient; else only what dropout leaves alone is common to both, some half.
double mask_difference(const Trial& trial, const std::vector<at::Tensor>& results) {
  const double square = product(results[0], results[0]);
  return std::abs(square - product(results[3], trial.in.value)) / square;
}

std::string problem_with_dropout(const Trial& trial, Attention& fused, const at::Tensor& context) {
  const DropoutPlace place = {{7, 3, 0, 1, DropoutSite::kAttention}, 0.4},
                     other = {{7, 4, 0, 1, DropoutSite::kAttention}, 0.4};
  const auto dropped = results_of(trial, fused, place), again = results_of(trial, fused, place);
  if (relative_difference(dropped[0], context) < 0.1) return "they drop nothing here";
  if (relative_difference(dropped[0], results_of(trial, fused, other)[0]) < 0.1)
    return "their masks are always the same";
  const double kept = product(dropped[0], context) / product(context, context);
  // Of first rows alone, the shortest sequence's one weight is nearly all that counts. Without scaling: 0.6.
  if (trial.rows.queries.longest() > 1 && !(std::abs(kept - 1) <= 0.25))
    return "they do not make up for what they drop here";
  if (!(mask_difference(trial, dropped) <= 2e-2)) return "their backward does not know forward's dropout here";
  for (size_t i = 0; i < dropped.size(); ++i)
    if (!dropped[i].equal(again[i])) return "they do not give the same bits twice here";
  return "";
}

std::string problem_in(const Trial& trial, int64_t heads, int64_t head_dim) {
  Attention fused(heads, head_dim, DeviceAttention::kFused), plain(heads, head_dim);
  // bf16 keeps 8 bits; fp32 products may go through three TensorFloat-32 ones.
  const double tolerance = trial.options.dtype() == at::kBFloat16 ? 2e-2 : 1e-4;
  const auto found = results_of(trial, fused, {}), expected = results_of(trial, plain, {});
  for (size_t i = 0; i < found.size(); ++i)
    if (!(relative_difference(found[i], expected[i]) <= tolerance)) return "they differ from plain operations here";
  return trial.options.dtype() == at::kBFloat16 ? problem_with_dropout(trial, fused, expected[0]) : "";
}

}  // namespace

std::string problem_with_fused_attention(at::Device device, at::ScalarType type, int64_t heads, int64_t head_dim) {
  if (!device.is_cuda()) return "they are for GPUs";
  try {
    const auto options = at::TensorOptions(device).dtype(type);
    std::string problem;
    for (const auto& queries : {kOffsets, kFirstRows})
      if (problem.empty()) problem = problem_in(Trial(options, heads * head_dim, queries), heads, head_dim);
    return problem;
  } catch (const c10::AcceleratorError&) {
    throw;  // there is no going on after a kernel that failed
  } catch (const c10::Error& error) {
    const std::string words = error.what_without_backtrace();
    return words.substr(0, words.find('\n'));
  }
}

}  // namespace lockstep::model
