#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/cpu/tensor_rows.h"

namespace lockstep::model {
namespace {

constexpr ProductShape kShape = {.rows = 37, .columns = 20, .inner = 51};

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
class Product : public testing::TestWithParam<std::tuple<bool, bool, bool>> {
 protected:
  template <class T, class Multiply>
  void expect_right(Multiply multiply) const {
    const auto [a_transposed, b_transposed, added] = GetParam();
    const auto type = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;
    const at::Tensor a = random_factor(kShape.rows, kShape.inner, a_transposed, 1).to(type);
    const at::Tensor b = random_factor(kShape.inner, kShape.columns, b_transposed, 2).to(type);
    const at::Tensor out = at::ones({kShape.rows, kShape.columns + 3});
    multiply(kShape, factor_of<T>(a, a_transposed), factor_of<T>(b, b_transposed), rows_of<float>(out),
             added ? Into::kAdd : Into::kReplace);
    const at::Tensor exact =
        at::mm((a_transposed ? a.t() : a).to(at::kDouble), (b_transposed ? b.t() : b).to(at::kDouble));
    at::Tensor expected = at::ones({kShape.rows, kShape.columns + 3}, at::kDouble);
    expected.narrow(1, 0, kShape.columns).copy_(added ? exact + 1 : exact);
    // Sums of 51 terms of order one; beyond the columns nothing is written.
    EXPECT_TRUE(at::allclose(out.to(at::kDouble), expected, 1e-5, 1e-5));
  }
};

TEST_P(Product, OfFloatsIsTheirs) {
  expect_right<float>([](const auto&... arguments) { multiply(arguments...); });
}

TEST_P(Product, OfBf16IsSummedAndKeptInFloat) {
  expect_right<Bf16>([](const auto&... arguments) { multiply(arguments...); });
}

TEST_P(Product, OfBf16WithoutInstructionsForItIsTheSame) {
  expect_right<Bf16>([](const auto&... arguments) { multiply_widened(arguments...); });
}

INSTANTIATE_TEST_SUITE_P(TransposedAndAdded, Product,
                         testing::Combine(testing::Bool(), testing::Bool(), testing::Bool()));

}  // namespace
}  // namespace lockstep::model
