#include "model/distilbert.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "model/distilbert_impl.h"
#include "model/error.h"
#include "model/flat_vector.h"
#include "model/gpu_peak.h"
#include "model/initialize.h"
#include "model/metrics.h"

namespace lockstep::model {
namespace {

at::Device device_of(const std::string& name) {
  const at::Device device(name);
#ifdef LOCKSTEP_CUDA
  if (device.is_cpu() || device.is_cuda()) return device;
  throw std::invalid_argument("device \"" + name + "\": expected \"cpu\" or \"cuda:N\"");
#else
  if (device.is_cpu()) return device;
  throw std::invalid_argument("device \"" + name +
                              "\": this build knows only \"cpu\"; for GPUs configure with -DLOCKSTEP_CUDA=ON");
#endif
}

Linear slice_of(const Linear& linear, int64_t begin, int64_t count) {
  return {linear.weight.narrow(0, begin, count), linear.bias.narrow(0, begin, count),
          linear.weight_gradient.narrow(0, begin, count), linear.bias_gradient.narrow(0, begin, count)};
}

/// Pinned memory, and whatever else names no device, then touches no other rank's GPU. cuBLAS adds the parts of a
/// product of bf16 that it has split in fp32, which LibTorch leaves to it unless it is told to; and fp32 is fp32,
/// whatever a container's variables say. Compiled kernels are not kept on disk: ranks that write the same file at once
/// leave a broken one (pytorch#186346).
at::Device made_current(at::Device device) {
  if (device.is_cpu()) return device;
  c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  setenv("USE_PYTORCH_KERNEL_CACHE", "0", 0);
  return device;
}

/// Embeddings are read row by row, and in fp32: the copy needs none of them.
at::Tensor weights_for(const at::Tensor& parameters, const ParameterLayout& layout, Precision precision) {
  if (precision == Precision::kFloat32) return parameters;
  return flat_zeros(layout, layout.find("distilbert.embeddings.LayerNorm.weight").offset,
                    parameters.options().dtype(at::kBFloat16));
}

void require(bool fact, const std::string& complaint) {
  if (!fact) throw std::invalid_argument("packed input: " + complaint);
}

std::string example_of(const PackedInput& input, int64_t example) {
  if (input.example_ids.empty()) return "example " + std::to_string(example) + " of the batch";
  return "example " + std::to_string(input.example_ids[example]);
}

/// Every example against the model: ids, lengths.
void check_tokens(const PackedInput& input, const DistilBertConfig& config) {
  require(!input.offsets.empty() && input.offsets.front() == 0, "offsets must start with 0");
  require(static_cast<size_t>(input.offsets.back()) == input.ids.size(), "the last offset must be the number of ids");
  for (int64_t i = 0; i < input.examples(); ++i) {
    const int64_t length = int64_t{input.offsets[i + 1]} - input.offsets[i];
    require(length > 0, example_of(input, i) + " has no tokens, expected at least [CLS]");
    if (length > config.max_position_embeddings)
      throw ModelContractError(
          example_of(input, i) + " has " + std::to_string(length) + " tokens, the model has positions for " +
          std::to_string(config.max_position_embeddings) + "; prepare the data with a smaller max_length");
    for (int64_t t = input.offsets[i]; t < input.offsets[i + 1]; ++t)
      if (input.ids[t] < 0 || input.ids[t] >= config.vocab_size)
        throw ModelContractError(example_of(input, i) + ": token id " + std::to_string(input.ids[t]) +
                                 ", the model's vocabulary has " + std::to_string(config.vocab_size) +
                                 "; prepare the data with the model's own vocabulary");
  }
}

void check_training(const PackedInput& input, const DistilBertConfig& config) {
  const auto examples = static_cast<size_t>(input.examples());
  require(input.labels.size() == examples, "as many labels as examples are needed");
  require(input.example_ids.size() == examples, "as many example ids as examples are needed");
  for (int64_t i = 0; i < input.examples(); ++i)
    if (input.labels[i] < 0 || input.labels[i] >= config.num_labels())
      throw ModelContractError(example_of(input, i) + ": label " + std::to_string(input.labels[i]) +
                               ", the classifier has labels 0 to " + std::to_string(config.num_labels() - 1));
}

/// scale * d(sum of cross-entropy losses) / d(logits), [examples, classes] on the host.
at::Tensor loss_gradient(const at::Tensor& logits, std::span<const int32_t> labels, double scale) {
  at::Tensor gradient = at::softmax(logits.to(at::kDouble), 1);
  auto values = gradient.accessor<double, 2>();
  for (int64_t i = 0; i < gradient.size(0); ++i)
    values[i][labels[i]] -= 1;
  return gradient.mul_(scale).to(at::kFloat);
}

std::span<const float> values_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

}  // namespace

DistilBert::Impl::Impl(DistilBertConfig given, const std::string& device_name, Precision precision, GpuAttention wish)
    : config(std::move(given)),
      layout(make_layout(config)),
      device(made_current(device_of(device_name))),
      parameters(flat_zeros(layout, layout.size, at::TensorOptions(device).dtype(at::kFloat))),
      gradients(flat_zeros(layout, layout.size, parameters.options())),
      weights(weights_for(parameters, layout, precision)),
      classifier(linear(parameters, "classifier")),
      pre_classifier(linear(parameters, "pre_classifier")),
      embedding_norm(norm("distilbert.embeddings.LayerNorm")),
      attention_problem(wish == GpuAttention::kPlain ? "not asked for"
                                                     : problem_with_fused_attention(device, weights.scalar_type(),
                                                                                    config.n_heads, config.head_dim())),
      attention(config.n_heads, config.head_dim(),
                attention_problem.empty() ? DeviceAttention::kFused : DeviceAttention::kPlain),
      states(static_cast<size_t>(std::max<int64_t>(2, config.n_layers))) {
  for (int64_t i = 0; i < config.n_layers; ++i)
    layers.push_back(layer(i));
  const std::string words = "distilbert.embeddings.word_embeddings.weight";
  const std::string positions = "distilbert.embeddings.position_embeddings.weight";
  word = flat_view(parameters, words, layout.find(words).shape);
  word_gradient = flat_view(gradients, words, layout.find(words).shape);
  position = flat_view(parameters, positions, layout.find(positions).shape);
  position_gradient = flat_view(gradients, positions, layout.find(positions).shape);
}

/// `shape` may reach over the slots that follow (the three projections).
at::Tensor DistilBert::Impl::flat_view(const at::Tensor& flat, const std::string& name,
                                       const std::vector<int64_t>& shape) const {
  const int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  return flat.narrow(0, layout.find(name).offset, size).view(shape);
}

void DistilBert::Impl::refresh_weights() {
  if (!weights.is_same(parameters)) weights.copy_(parameters.narrow(0, 0, weights.size(0)));
}

Linear DistilBert::Impl::linear(const at::Tensor& values, const std::string& name) const {
  const std::vector<int64_t> shape = layout.find(name + ".weight").shape;
  return {flat_view(values, name + ".weight", shape), flat_view(values, name + ".bias", {shape[0]}),
          flat_view(gradients, name + ".weight", shape), flat_view(gradients, name + ".bias", {shape[0]})};
}

Norm DistilBert::Impl::norm(const std::string& name) const {
  const std::vector<int64_t> shape = {config.dim};
  return {flat_view(parameters, name + ".weight", shape), flat_view(parameters, name + ".bias", shape),
          flat_view(gradients, name + ".weight", shape), flat_view(gradients, name + ".bias", shape)};
}

Layer DistilBert::Impl::layer(int64_t index) const {
  const std::string prefix = "distilbert.transformer.layer." + std::to_string(index) + ".";
  const std::string query = prefix + "attention.q_lin";
  const std::vector<int64_t> matrix = {3 * config.dim, config.dim};
  const std::vector<int64_t> vector = {3 * config.dim};
  const Linear qkv = {flat_view(weights, query + ".weight", matrix), flat_view(weights, query + ".bias", vector),
                      flat_view(gradients, query + ".weight", matrix), flat_view(gradients, query + ".bias", vector)};
  return {qkv,
          slice_of(qkv, 0, config.dim),
          slice_of(qkv, config.dim, 2 * config.dim),
          linear(weights, prefix + "attention.out_lin"),
          linear(weights, prefix + "ffn.lin1"),
          linear(weights, prefix + "ffn.lin2"),
          norm(prefix + "sa_layer_norm"),
          norm(prefix + "output_layer_norm"),
          layout.find(query + ".bias").offset + 3 * config.dim};
}

/// Both kinds of rows' offsets, in one copy.
void DistilBert::Impl::upload_offsets(Batch& batch) const {
  const auto count = std::ssize(batch.examples.offsets);
  const at::Tensor host = at::empty({2, count}, at::kInt);
  auto* next = std::ranges::copy(batch.examples.offsets, host.mutable_data_ptr<int32_t>()).out;
  std::ranges::copy(batch.heads.offsets, next);
  const at::Tensor both = to_device(host, device);
  batch.examples.device_offsets = both[0];
  batch.heads.device_offsets = both[1];
}

Batch DistilBert::Impl::upload(const PackedInput& input, std::vector<int32_t>& head_offsets) const {
  head_offsets.resize(input.offsets.size());
  std::iota(head_offsets.begin(), head_offsets.end(), 0);
  const auto tokens = static_cast<int64_t>(input.ids.size());
  const at::Tensor host = at::empty({2 * tokens + input.examples()}, at::kLong);  // all three, in one copy
  auto* next = std::ranges::copy(input.ids, host.mutable_data_ptr<int64_t>()).out;
  for (int64_t i = 0; i < input.examples(); ++i)
    for (int64_t t = 0; t < input.offsets[i + 1] - input.offsets[i]; ++t)
      *next++ = t;
  std::ranges::copy(input.offsets.first(input.offsets.size() - 1), next);
  const at::Tensor all = to_device(host, device);
  Batch batch;
  batch.counters = std::make_unique<MaskCounterCache>();
  batch.examples = {input.offsets, input.example_ids, batch.counters.get()};
  batch.heads = {head_offsets, input.example_ids, batch.counters.get()};
  if (!device.is_cpu()) upload_offsets(batch);
  batch.ids = all.narrow(0, 0, tokens);
  batch.positions = all.narrow(0, tokens, tokens);
  batch.first_rows = all.narrow(0, 2 * tokens, input.examples());
  return batch;
}

at::Tensor DistilBert::Impl::forward(const Batch& batch, const DropoutRun& run) {
  const at::Tensor* rows = &embed(batch, run);
  for (size_t i = 0; i < layers.size(); ++i)
    rows = &layer_forward(i, *rows, batch, run);
  return head_forward(batch, run, *rows).cpu();
}

void DistilBert::Impl::backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient,
                                const GradientFrontier& frontier) {
  if (frontier) frontier(0);
  head_backward(batch, run, to_device(logits_gradient, device));
  if (frontier) frontier(layout.find("pre_classifier.bias").offset + config.dim);
  for (size_t i = layers.size(); i-- > 0;) {
    layer_backward(i, i == 0 ? embeddings() : states[i - 1].output, batch, run);
    if (frontier) frontier(layers[i].frontier);
  }
  embed_backward(batch, run);
  if (frontier) frontier(layout.size);
}

DistilBert::DistilBert(DistilBertConfig config, const std::string& device, Precision precision, GpuAttention attention)
    : impl_(std::make_unique<Impl>(std::move(config), device, precision, attention)) {}
DistilBert::~DistilBert() = default;
DistilBert::DistilBert(DistilBert&&) noexcept = default;
DistilBert& DistilBert::operator=(DistilBert&&) noexcept = default;

const DistilBertConfig& DistilBert::config() const {
  return impl_->config;
}
const ParameterLayout& DistilBert::layout() const {
  return impl_->layout;
}

void DistilBert::initialize(uint64_t seed, bool only_head) {
  std::vector<float> values(static_cast<size_t>(layout().size));
  get_parameters(values);
  for (const ParameterSlot& slot : layout().slots)
    if (!only_head || is_head(slot))
      initialize_slot(config(), slot, seed, std::span(values).subspan(slot.offset, slot.size));
  set_parameters(values);
}

void DistilBert::get_parameters(std::span<float> out) const {
  require(out.size() == static_cast<size_t>(layout().size), "get_parameters needs room for layout().size floats");
  const at::Tensor host = impl_->parameters.cpu();
  std::ranges::copy(values_of(host), out.begin());
}

void DistilBert::set_parameters(std::span<const float> values) {
  require(values.size() == static_cast<size_t>(layout().size), "set_parameters needs layout().size floats");
  impl_->parameters.copy_(at::from_blob(const_cast<float*>(values.data()), {layout().size}, at::kFloat));
  impl_->refresh_weights();
}

std::span<float> DistilBert::gradients() {
  return {impl_->gradients.mutable_data_ptr<float>(), static_cast<size_t>(layout().size)};
}

ComputeStream DistilBert::compute_stream() const {
  if (impl_->device.is_cpu()) return {};
  const c10::impl::VirtualGuardImpl devices(impl_->device.type());
  return {impl_->device.index(), devices.getStreamNativeHandle(devices.getStream(impl_->device))};
}

std::string DistilBert::attention_words() const {
  if (impl_->device.is_cpu()) return "";
  const std::string& problem = impl_->attention_problem;
  if (problem.empty() && impl_->weights.scalar_type() == at::kFloat)
    return "plain operations in training, fused kernels in evaluation (--bf16 has them in both)";
  return problem.empty() ? "fused kernels, dropout by rank and micro-batch"
                         : "plain operations (fused kernels: " + problem + ")";
}

double DistilBert::peak_flops() const {
  const bool rounded = impl_->weights.scalar_type() == at::kBFloat16;
  return model::peak_flops(impl_->device.str(), rounded ? Precision::kBFloat16 : Precision::kFloat32);
}

void DistilBert::zero_gradients() {
  impl_->gradients.zero_();
}

std::vector<float> DistilBert::logits(const PackedInput& input) {
  check_tokens(input, config());
  if (input.examples() == 0) return {};
  const WithoutAutograd faster;
  std::vector<int32_t> head_offsets;
  const at::Tensor logits = impl_->forward(impl_->upload(input, head_offsets), {});
  const auto values = values_of(logits);
  return {values.begin(), values.end()};
}

double DistilBert::forward_backward(const PackedInput& input, uint64_t dropout_seed, int64_t step,
                                    double gradient_scale, const GradientFrontier& frontier) {
  check_tokens(input, config());
  check_training(input, config());
  if (input.examples() == 0) {
    for (const int64_t end : {int64_t{0}, layout().size})
      if (frontier) frontier(end);
    return 0;
  }
  const WithoutAutograd faster;
  const DropoutRun run = {true, dropout_seed, step};
  std::vector<int32_t> head_offsets;
  const Batch batch = impl_->upload(input, head_offsets);
  const at::Tensor logits = impl_->forward(batch, run);
  impl_->backward(batch, run, loss_gradient(logits, input.labels, gradient_scale), frontier);
  return cross_entropy_sum(values_of(logits), input.labels);
}

}  // namespace lockstep::model
