// The host's row kernels against plain tensor operations, which is what devices run. Both run on the host here.
#include "model/row_operations.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lockstep::model {
namespace {

constexpr int64_t kRows = 29;
constexpr int64_t kColumns = 37;  // no multiple of a vector, nor of the eight elements that share a counter

at::Tensor random(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed));
}

Norm random_norm() {
  return {random({kColumns}, 1), random({kColumns}, 2), at::ones({kColumns}), at::ones({kColumns})};
}

/// The type of rows, and a rate of dropout.
class RowOperations : public testing::TestWithParam<std::tuple<at::ScalarType, double>> {
 protected:
  at::ScalarType type() const { return std::get<0>(GetParam()); }
  at::Tensor rows(uint64_t seed) const { return random({kRows, kColumns}, seed).to(type()); }
  /// fp32: sums of tens of terms of order one in another order. bf16: the same numbers rounded, one step apart at most.
  bool close(const at::Tensor& host, const at::Tensor& device) const {
    const double tolerance = host.scalar_type() == at::kFloat ? 1e-5 : 1.6e-2;
    return at::allclose(host.to(at::kDouble), device.to(at::kDouble), tolerance, tolerance);
  }
  /// Sums over rows are fp32, but what they sum has been rounded.
  bool sums_close(const at::Tensor& host, const at::Tensor& device) const {
    const double tolerance = type() == at::kFloat ? 1e-5 : 5e-2;
    return at::allclose(host, device, tolerance, tolerance);
  }

  const std::vector<int32_t> offsets_ = {0, 5, 6, kRows};
  const std::vector<int64_t> ids_ = {4, 9'000'000'000, 7};
  const Mask mask_ = {{offsets_, ids_},
                      {{.seed = 3, .step = 8, .layer = 2, .site = DropoutSite::kFeedForward}, std::get<1>(GetParam())}};
};

TEST_P(RowOperations, ResidualNormAgrees) {
  const Norm norm = random_norm();
  NormState host = {rows(3), {}, {}}, device = {host.input.clone(), {}, {}};
  at::Tensor host_out, device_out;
  residual_norm_on_host(norm, host, rows(4), mask_, host_out);
  residual_norm_on_device(norm, device, rows(4), mask_, device_out);
  EXPECT_TRUE(close(host.input, device.input));
  EXPECT_TRUE(close(host_out, device_out));
  EXPECT_TRUE(at::allclose(host.mean, device.mean.flatten(), 1e-2, 1e-2));
  EXPECT_TRUE(at::allclose(host.inverse_deviation, device.inverse_deviation.flatten(), 1e-2, 1e-2));
}

TEST_P(RowOperations, ResidualNormsGradientsAgree) {
  const Norm host_norm = random_norm(), device_norm = random_norm();
  NormState state = {rows(3), {}, {}};
  at::Tensor out;
  residual_norm_on_host(host_norm, state, rows(4), {}, out);
  at::Tensor host = rows(5), device = host.clone(), host_branch, device_branch;
  const at::Tensor host_sums = at::ones({kColumns}), device_sums = at::ones({kColumns});
  residual_norm_backward_on_host(host_norm, state, mask_, host, host_branch, host_sums);
  state.mean = state.mean.unsqueeze(1);
  state.inverse_deviation = state.inverse_deviation.unsqueeze(1);
  residual_norm_backward_on_device(device_norm, state, mask_, device, device_branch, device_sums);
  EXPECT_TRUE(close(host, device));
  EXPECT_TRUE(close(host_branch, device_branch));
  EXPECT_TRUE(sums_close(host_sums, device_sums));
  EXPECT_TRUE(sums_close(host_norm.weight_gradient, device_norm.weight_gradient));
  EXPECT_TRUE(sums_close(host_norm.bias_gradient, device_norm.bias_gradient));
}

TEST_P(RowOperations, ActivationsAndTheirGradientsAgree) {
  for (const Activation activation : {Activation::kGelu, Activation::kRelu}) {
    const at::Tensor hidden = rows(6) * 3;
    at::Tensor host_out, device_out, host = rows(7), device = host.clone();
    activate_on_host(activation, hidden, host_out);
    activate_on_device(activation, hidden, device_out);
    EXPECT_TRUE(close(host_out, device_out));
    const at::Tensor host_sums = at::ones({kColumns}), device_sums = at::ones({kColumns});
    activate_backward_on_host(activation, hidden, host, host_out.zero_(), host_sums);
    activate_backward_on_device(activation, hidden, device, device_out.zero_(), device_sums);
    EXPECT_TRUE(close(host_out, device_out));
    EXPECT_TRUE(close(host, device));
    EXPECT_TRUE(sums_close(host_sums, device_sums));
  }
}

TEST_P(RowOperations, ColumnSumsOfPartsOfRowsAgree) {
  const at::Tensor part = rows(8).narrow(1, 3, 20);
  const at::Tensor host = at::ones({20}), device = at::ones({20});
  add_column_sums_on_host(part, host);
  add_column_sums_on_device(part, device);
  EXPECT_TRUE(close(host, device));
}

INSTANTIATE_TEST_SUITE_P(TypesAndRates, RowOperations,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16), testing::Values(0.0, 0.3)));

TEST(AddRows, SumsRowsOfTheSameId) {
  const at::Tensor ids = at::tensor({2, 0, 2, 1, 2}, at::kLong);
  const at::Tensor rows = random({5, kColumns}, 9);
  const at::Tensor host = at::ones({4, kColumns}), device = at::ones({4, kColumns});
  add_rows_on_host(host, ids, rows);
  add_rows_on_device(device, ids, rows);
  EXPECT_TRUE(at::allclose(host, device, 1e-6, 1e-6));
}

// The whole range, in double precision: far below zero, where 1 + erf cancels, too.
TEST(Gelu, IsTheExactOne) {
  const at::Tensor x = at::linspace(-12, 12, 4801).unsqueeze(0);
  const at::Tensor wide = x.to(at::kDouble);
  at::Tensor out, gradient = at::ones_like(x);
  activate_on_host(Activation::kGelu, x, out);
  EXPECT_TRUE(at::allclose(out.to(at::kDouble), at::gelu(wide), 1e-6, 3e-7));
  activate_backward_on_host(Activation::kGelu, x, gradient, out, at::zeros({4801}));
  EXPECT_TRUE(at::allclose(gradient.to(at::kDouble), at::gelu_backward(at::ones_like(wide), wide), 1e-6, 3e-7));
}

}  // namespace
}  // namespace lockstep::model
