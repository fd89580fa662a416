// Whether a GPU's fused attention does what it is to do, found out on that GPU.
#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <vector>

#include "model/attention.h"

namespace lockstep::model {
namespace {

constexpr std::array<int32_t, 4> kOffsets = {0, 1, 38, 200}, kFirstRows = {0, 1, 2, 3};
constexpr std::array<int64_t, 3> kIds = {8, 70, 6};

at::Tensor on_device(const std::array<int32_t, 4>& offsets, at::Device device) {
  return at::tensor(at::ArrayRef<int32_t>(offsets), at::kInt).to(device);
}

/// A few ragged sequences, of all whose tokens or of whose first ones the queries are, and their gradients.
struct Trial {
  Trial(const at::TensorOptions& given, int64_t dim, const std::array<int32_t, 4>& queries)
      : options(given), rows{{queries, kIds}, {kOffsets, kIds}} {
    rows.queries.device_offsets = on_device(queries, options.device());
    rows.tokens.device_offsets = on_device(kOffsets, options.device());
    at::Generator generator = at::detail::createCPUGenerator(1);
    const auto random = [&](int32_t count) { return at::randn({count, dim}, generator, at::kFloat).to(options); };
    in = {random(queries.back()), random(kOffsets.back()), random(kOffsets.back())};
    d_context = random(queries.back());
  }

  at::TensorOptions options;
  AttentionRows rows;
  Projections in;
  at::Tensor d_context;
};

/// Context, and the gradients of queries, keys and values.
std::vector<at::Tensor> results_of(const Trial& trial, Attention& attention, const DropoutPlace& place) {
  const at::Tensor context = at::empty_like(trial.in.query);
  const Projections gradient = {at::empty_like(context), at::empty_like(trial.in.key), at::empty_like(trial.in.value)};
  AttentionState state;
  attention.forward(trial.in, trial.rows, place, context, state);
  attention.backward(trial.in, context, trial.d_context, state, trial.rows, place, gradient);
  return {context, gradient.query, gradient.key, gradient.value};
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor reference = b.to(at::kDouble);
  return ((a.to(at::kDouble) - reference).norm() / reference.norm()).item<double>();
}

/// Context is linear in the values: if backward has forward's mask, <d_context, context> = <d_values, values>.
double mask_difference(const Trial& trial, const std::vector<at::Tensor>& results) {
  const auto product = [](const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
  };
  const double scale = (trial.d_context.to(at::kDouble).norm() * results[0].to(at::kDouble).norm()).item<double>();
  return std::abs(product(trial.d_context, results[0]) - product(results[3], trial.in.value)) / scale;
}

std::string problem_in(const Trial& trial, int64_t heads, int64_t head_dim) {
  Attention fused(heads, head_dim, DeviceAttention::kFused), plain(heads, head_dim);
  // bf16 keeps 8 bits; fp32 products may go through three TensorFloat-32 ones.
  const double tolerance = trial.options.dtype() == at::kBFloat16 ? 2e-2 : 1e-4;
  const auto found = results_of(trial, fused, {}), expected = results_of(trial, plain, {});
  for (size_t i = 0; i < found.size(); ++i)
    if (!(relative_difference(found[i], expected[i]) <= tolerance)) return "they differ from plain operations here";
  const DropoutPlace place = {{7, 3, 0, 1, DropoutSite::kAttention}, 0.4};
  const auto dropped = results_of(trial, fused, place), again = results_of(trial, fused, place);
  if (relative_difference(dropped[0], expected[0]) < 0.1) return "they drop nothing here";
  if (!(mask_difference(trial, dropped) <= tolerance)) return "their backward does not know forward's dropout here";
  for (size_t i = 0; i < dropped.size(); ++i)
    if (!dropped[i].equal(again[i])) return "they do not give the same bits twice here";
  return "";
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
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
}

}  // namespace lockstep::model
