// The model on a GPU against the model on the CPU, in one process: in fp32, and in bf16.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/attention.h"
#include "model/compute.h"
#include "model/error.h"
#include "model/exchange_buffer.h"
#include "model/flat_vector.h"
#include "model/optimizer.h"
#include "model/packed_tensors.h"
#include "model/schedule.h"
#include "tests/model/tiny_model.h"
#include "tests/support/require.h"

namespace lockstep::model {
namespace {

/// DistilBERT's own widths, with fewer layers and words so that the CPU's share takes seconds.
DistilBertConfig wide_config() {
  DistilBertConfig config;
  config.vocab_size = 1000;
  config.n_layers = 2;
  config.labels = {"bad", "fair", "good"};
  return config;
}

/// Lengths 1, odd, a multiple of 8, and `longest`.
TinyBatch ragged_batch(int64_t first_id, int32_t longest) {
  TinyBatch batch;
  batch.add(first_id, longest, 0);
  batch.add(first_id + 1, 1, 1);
  batch.add(first_id + 2, 7, 2);
  batch.add(first_id + 3, 16, 1);
  return batch;
}

std::vector<float> gradients_of(DistilBert& model) {
  ExchangeBuffer buffer(model, {.on_host = true});
  buffer.load(0, model.layout().size);
  const auto* gradients = static_cast<const float*>(buffer.data());
  return {gradients, gradients + model.layout().size};
}

/// ||a - b|| / ||b|| of one parameter's part of two flat vectors.
double relative_difference(std::span<const float> a, std::span<const float> b, const ParameterSlot& slot) {
  double difference = 0;
  double norm = 0;
  for (int64_t i = slot.offset; i < slot.offset + slot.size; ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

/// What is computed for it is rounding: tests/parity/model_parity_test.cc.
bool has_zero_gradient(const ParameterSlot& slot) {
  return slot.name.ends_with("k_lin.bias");
}

class Cuda : public testing::Test {
 protected:
  void SetUp() override { LOCKSTEP_NEEDS("gpu", cuda_device_count() > 0, "this process sees no CUDA device"); }
};

class CudaModel : public Cuda, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Cuda::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const DistilBertConfig config = GetParam() == std::string("tiny") ? tiny_config() : wide_config();
    longest_ = static_cast<int32_t>(std::min<int64_t>(config.max_position_embeddings, 200));
    for (auto& [model, device] : {std::pair(&cpu_, "cpu"), std::pair(&gpu_, "cuda:0")}) {
      *model = std::make_unique<DistilBert>(config, device);
      (*model)->initialize(3, false);
    }
  }

  int32_t longest_ = 0;
  std::unique_ptr<DistilBert> cpu_, gpu_;
};

TEST_P(CudaModel, StartsFromTheSameBits) {
  EXPECT_EQ(parameters_of(*gpu_), parameters_of(*cpu_));
}

TEST_P(CudaModel, GivesTheSameLogits) {
  const TinyBatch batch = ragged_batch(5, longest_);
  const std::vector<float> expected = cpu_->logits(batch.input());
  const std::vector<float> logits = gpu_->logits(batch.input());
  ASSERT_EQ(logits.size(), expected.size());
  // float32 sums in another order: some 1e-6. TensorFloat-32, which must be off, would be some 1e-3.
  for (size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(logits[i], expected[i], 2e-5) << "logit " << i;
}

TEST_P(CudaModel, GivesTheSameLossAndGradientsWithDropout) {
  const TinyBatch batch = ragged_batch(5, longest_);
  const double expected = cpu_->forward_backward(batch.input(), 11, 2, 0.25);
  EXPECT_NEAR(gpu_->forward_backward(batch.input(), 11, 2, 0.25), expected, 1e-4);
  const std::vector<float> gradients = gradients_of(*gpu_);
  for (const ParameterSlot& slot : cpu_->layout().slots) {
    if (has_zero_gradient(slot)) continue;
    EXPECT_LE(relative_difference(gradients, gradients_of(*cpu_), slot), 1e-4) << slot.name;
  }
}

TEST_P(CudaModel, TrainsThirtyStepsAlongside) {
  constexpr LearningRateSchedule kSchedule = {.peak = 2e-4, .warmup_steps = 3, .total_steps = 30};
  AdamW cpu_optimizer(*cpu_, {.weight_decay = 0.01});
  AdamW gpu_optimizer(*gpu_, {.weight_decay = 0.01});
  for (int step = 0; step < kSchedule.total_steps; ++step) {
    const TinyBatch batch = ragged_batch(4 * step, 24);
    const double expected = cpu_->forward_backward(batch.input(), 11, step, 0.25);
    EXPECT_NEAR(gpu_->forward_backward(batch.input(), 11, step, 0.25) / expected, 1, 1e-4) << "step " << step;
    const double norm = cpu_optimizer.step(kSchedule.at(step));
    EXPECT_NEAR(gpu_optimizer.step(kSchedule.at(step)) / norm, 1, 1e-3) << "step " << step;
  }
  const std::vector<float> expected = parameters_of(*cpu_);
  const std::vector<float> parameters = parameters_of(*gpu_);
  for (const ParameterSlot& slot : cpu_->layout().slots) {
    if (has_zero_gradient(slot)) continue;
    EXPECT_LE(relative_difference(parameters, expected, slot), 1e-3) << slot.name;
  }
}

TEST_P(CudaModel, AddsNothingForAnEmptyShare) {
  int64_t end = 0;
  EXPECT_EQ(gpu_->forward_backward(TinyBatch().input(), 11, 0, 1, [&](int64_t reached) { end = reached; }), 0);
  EXPECT_EQ(end, gpu_->layout().size);
  EXPECT_EQ(gradients_of(*gpu_), std::vector<float>(static_cast<size_t>(end), 0.0F));
}

TEST_P(CudaModel, RefusesATokenThatTheVocabularyLacks) {
  TinyBatch batch = ragged_batch(5, 24);
  batch.ids[3] = static_cast<int32_t>(gpu_->config().vocab_size);
  EXPECT_THROW(gpu_->logits(batch.input()), ModelContractError);
}

INSTANTIATE_TEST_SUITE_P(Sizes, CudaModel, testing::Values("tiny", "wide"),
                         [](const auto& size) { return std::string(size.param); });

/// Of 256 bytes: what every kernel and collective that reads several numbers at once is content with.
void expect_aligned(const void* numbers, size_t size, const ParameterLayout& layout) {
  for (const ParameterSlot& slot : layout.slots) {
    if (slot.name.starts_with("classifier.")) continue;
    EXPECT_EQ((reinterpret_cast<uintptr_t>(numbers) + slot.offset * size) % 256, 0) << slot.name;
  }
}

class CudaMemory : public Cuda {};

TEST_F(CudaMemory, SlotsAreAligned) {
  DistilBert model(wide_config(), "cuda:0");
  expect_aligned(model.gradients().data(), sizeof(float), model.layout());
  expect_aligned(ExchangeBuffer(model, {.bfloat16 = true}).data(), sizeof(at::BFloat16), model.layout());
  const at::Tensor flat =
      flat_zeros(model.layout(), model.layout().size, at::TensorOptions(at::kCUDA).dtype(at::kFloat));
  expect_aligned(flat.const_data_ptr(), sizeof(float), model.layout());
}

TEST_F(CudaMemory, StateComesToTheHostAndBack) {
  DistilBert model(wide_config(), "cuda:0"), other(wide_config(), "cuda:0");
  model.initialize(3, false);
  AdamW optimizer(model, {.weight_decay = 0.01}), other_optimizer(other, {.weight_decay = 0.01});
  const TinyBatch batch = ragged_batch(5, 24);
  model.forward_backward(batch.input(), 11, 0, 0.25);
  optimizer.step(1e-3);

  const auto size = static_cast<size_t>(model.layout().size);
  std::vector<float> parameters(size), m(size), v(size);
  for (const auto& [begin, end] :
       {std::pair(size_t{0}, size / 3), std::pair(size / 3, size)}) {  // the second is larger
    const auto part = [&](std::vector<float>& all) { return std::span(all).subspan(begin, end - begin); };
    optimizer.get_state(static_cast<int64_t>(begin), part(parameters), part(m), part(v));
  }
  EXPECT_EQ(parameters, parameters_of(model));
  other.set_parameters(parameters);
  other_optimizer.set_moments(m, v, optimizer.steps());
  for (const auto& [trained, its_optimizer] : {std::pair(&model, &optimizer), std::pair(&other, &other_optimizer)}) {
    trained->forward_backward(batch.input(), 11, 1, 0.25);
    its_optimizer->step(1e-3);
  }
  EXPECT_EQ(parameters_of(other), parameters_of(model));
}

/// Both compute in bf16, and round the same numbers; sums in another order push some of them to the next one. The bars
/// are those of bf16 against fp32 (tests/model/bfloat16_test.cc).
class CudaBFloat16 : public Cuda {
 protected:
  void SetUp() override {
    Cuda::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!has_bfloat16("cuda:0")) GTEST_SKIP() << "this GPU has no bf16";
    for (auto& [model, device] : {std::pair(&cpu_, "cpu"), std::pair(&gpu_, "cuda:0")}) {
      *model = std::make_unique<DistilBert>(wide_config(), device, Precision::kBFloat16);
      (*model)->initialize(3, false);
    }
  }

  const TinyBatch batch_ = ragged_batch(5, 200);
  std::unique_ptr<DistilBert> cpu_, gpu_;
};

TEST_F(CudaBFloat16, GivesTheSameLogits) {
  const std::vector<float> expected = cpu_->logits(batch_.input());
  const ParameterSlot all = {.name = "logits", .shape = {}, .size = static_cast<int64_t>(expected.size())};
  EXPECT_LE(relative_difference(gpu_->logits(batch_.input()), expected, all), 2e-2);
}

TEST_F(CudaBFloat16, GivesTheSameLossAndGradientsWithDropout) {
  const double expected = cpu_->forward_backward(batch_.input(), 11, 2, 0.25);
  EXPECT_NEAR(gpu_->forward_backward(batch_.input(), 11, 2, 0.25) / expected, 1, 1e-2);
  const std::vector<float> gradients = gradients_of(*gpu_);
  for (const ParameterSlot& slot : cpu_->layout().slots) {
    if (has_zero_gradient(slot)) continue;
    EXPECT_LE(relative_difference(gradients, gradients_of(*cpu_), slot), 5e-2) << slot.name;
  }
}

TEST_F(CudaBFloat16, SumsOfProductsStayInFloat) {
  EXPECT_EQ(at::globalContext().allowBF16ReductionCuBLAS(),
            at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK);
}

class CudaDropout : public Cuda {};

TEST_F(CudaDropout, DrawsTheSameMasks) {
  const DropoutPlace place = {{.seed = 9, .step = 2, .layer = 3, .site = DropoutSite::kAttention}, 0.3};
  const std::vector<int64_t> ids = {3, 12'345'678'901, 4};
  const std::vector<int64_t> counters = {5, 1, 4096};
  const auto masks = [&](at::Device device) {
    return mask_by_tensor_operations(make_mask_counters(ids, counters, device), place).cpu();
  };
  EXPECT_TRUE(at::equal(masks(at::kCUDA), masks(at::kCPU)));
  EXPECT_TRUE(at::equal(mask_by_kernel(make_mask_counters(ids, counters, at::kCUDA), place).cpu(), masks(at::kCPU)));
}

/// DistilBERT's heads, MiniLM's, and such as few kernels are for.
TEST_F(Cuda, FusedAttentionDoesWhatPlainOperationsDo) {
  for (const int64_t head_dim : {64, 32, 8}) {
    EXPECT_EQ(problem_with_fused_attention(at::kCUDA, at::kFloat, 12, head_dim), "") << head_dim;
    if (!has_bfloat16("cuda:0")) continue;
    EXPECT_EQ(problem_with_fused_attention(at::kCUDA, at::kBFloat16, 12, head_dim), "") << head_dim;
  }
}

TEST_F(Cuda, FusedAttentionGivesTheSameLogits) {
  DistilBert cpu(wide_config(), "cpu"), gpu(wide_config(), "cuda:0", Precision::kFloat32, GpuAttention::kAuto);
  cpu.initialize(3, false);
  gpu.initialize(3, false);
  EXPECT_NE(gpu.attention_words().find("fused kernels in evaluation"), std::string::npos) << gpu.attention_words();
  const TinyBatch batch = ragged_batch(5, 200);
  const std::vector<float> expected = cpu.logits(batch.input()), logits = gpu.logits(batch.input());
  for (size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(logits[i], expected[i], 1e-3) << "logit " << i;
}

TEST_F(CudaBFloat16, FusedAttentionTrainsWithTheSameBitsTwice) {
  std::vector<std::vector<float>> gradients;
  for (int i = 0; i < 2; ++i) {
    DistilBert gpu(wide_config(), "cuda:0", Precision::kBFloat16, GpuAttention::kAuto);
    gpu.initialize(3, false);
    EXPECT_TRUE(gpu.attention_words().starts_with("fused kernels")) << gpu.attention_words();
    gpu.forward_backward(batch_.input(), 11, 2, 0.25);
    gradients.push_back(gradients_of(gpu));
  }
  EXPECT_EQ(gradients[0], gradients[1]);
}

}  // namespace
}  // namespace lockstep::model
