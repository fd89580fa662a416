#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/cpu/gemm_bf16.h"
#include "model/cpu/tensor_rows.h"

namespace lockstep::model {
namespace {

/// Of no size that kernels like; the second one's terms and columns are more than they take at a time.
constexpr ProductShape kShapes[] = {{.rows = 37, .columns = 20, .inner = 51},
                                    {.rows = 13, .columns = 530, .inner = 1027}};

/// A factor of rows x columns, a part of a wider matrix.
at::Tensor random_factor(int64_t rows, int64_t columns, bool transposed, uint64_t seed) {
  if (transposed) std::swap(rows, columns);
  return at::randn({rows, columns + 5}, at::detail::createCPUGenerator(seed)).narrow(1, 2, columns);
}
template <class T>
Factor<T> factor_of(const at::Tensor& tensor, bool transposed) {
  return {rows_of<const T>(tensor), transposed};
}

/// Which factors are transposed, and whether the product is added.
class Product : public testing::TestWithParam<std::tuple<bool, bool, bool, ProductShape>> {
 protected:
  template <class T, class Multiply>
  void expect_right(Multiply multiply) const {
    const auto [a_transposed, b_transposed, added, shape] = GetParam();
    const auto type = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;
    const at::Tensor a = random_factor(shape.rows, shape.inner, a_transposed, 1).to(type);
    const at::Tensor b = random_factor(shape.inner, shape.columns, b_transposed, 2).to(type);
    const at::Tensor out = at::ones({shape.rows, shape.columns + 3});
    multiply(shape, factor_of<T>(a, a_transposed), factor_of<T>(b, b_transposed), rows_of<float>(out),
             added ? Into::kAdd : Into::kReplace);
    const at::Tensor exact =
        at::mm((a_transposed ? a.t() : a).to(at::kDouble), (b_transposed ? b.t() : b).to(at::kDouble));
    at::Tensor expected = at::ones({shape.rows, shape.columns + 3}, at::kDouble);
    expected.narrow(1, 0, shape.columns).copy_(added ? exact + 1 : exact);
    // Roundings of sums of terms of order one; beyond the columns nothing is written.
    EXPECT_LE((out.to(at::kDouble) - expected).abs().max().item<double>(), 4e-7 * static_cast<double>(shape.inner));
  }
};

TEST_P(Product, OfFloatsIsTheirs) {
  expect_right<float>([](const auto&... arguments) { multiply(arguments...); });
}

TEST_P(Product, OfBf16IsSummedAndKeptInFloat) {
  expect_right<Bf16>([](const auto&... arguments) { multiply(arguments...); });
}

TEST_P(Product, OfBf16ByDotProductsIsTheSame) {
  if (!has_dot_products_of_bf16()) GTEST_SKIP() << "this CPU has no AVX512_BF16";
  expect_right<Bf16>(
      [](const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<float> out, Into into) {
        multiply_pairs(shape, a, b, out, into == Into::kAdd ? Rows<const float>(out) : Rows<const float>());
      });
}

TEST_P(Product, OfBf16WithARowAddedIsRoundedOnce) {
  if (!has_dot_products_of_bf16()) GTEST_SKIP() << "this CPU has no AVX512_BF16";
  const auto [a_transposed, b_transposed, added, shape] = GetParam();
  const at::Tensor a = random_factor(shape.rows, shape.inner, a_transposed, 1).to(at::kBFloat16);
  const at::Tensor b = random_factor(shape.inner, shape.columns, b_transposed, 2).to(at::kBFloat16);
  const at::Tensor bias = random_factor(1, shape.columns, false, 3).to(at::kBFloat16);
  const at::Tensor out = at::empty({shape.rows, shape.columns}, at::kBFloat16);
  multiply_pairs(shape, factor_of<Bf16>(a, a_transposed), factor_of<Bf16>(b, b_transposed), rows_of<Bf16>(out),
                 {elements_of<const Bf16>(bias), 0});
  const at::Tensor exact =
      at::mm((a_transposed ? a.t() : a).to(at::kDouble), (b_transposed ? b.t() : b).to(at::kDouble)) + bias;
  // Half of a unit in the last of 8 bits, and what fp32 does to sums near a tie or near zero.
  EXPECT_TRUE(
      ((out - exact).abs() <= exact.abs() * (1.0 / 256) + 1e-5 * static_cast<double>(shape.inner)).all().item<bool>());
}

TEST_P(Product, OfBf16WithoutInstructionsForItIsTheSame) {
  expect_right<Bf16>([](const auto&... arguments) { multiply_widened(arguments...); });
}

INSTANTIATE_TEST_SUITE_P(TransposedAndAdded, Product,
                         testing::Combine(testing::Bool(), testing::Bool(), testing::Bool(),
                                          testing::ValuesIn(kShapes)));

}  // namespace
}  // namespace lockstep::model
