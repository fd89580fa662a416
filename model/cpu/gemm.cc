#include "model/cpu/gemm.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "model/cpu/gemm_bf16.h"

// Two functions of the BLAS inside LibTorch; it has no header for them. The second is MKL's own: where LibTorch was
// built with another BLAS it is null.
extern "C" {
// NOLINTNEXTLINE(readability-identifier-naming): BLAS called it so.
void sgemm_(const char* a_form, const char* b_form, const int* m, const int* n, const int* k, const float* alpha,
            const float* a, const int* a_stride, const float* b, const int* b_stride, const float* beta, float* c,
            const int* c_stride);
__attribute__((weak)) void cblas_gemm_bf16bf16f32(int layout, int a_form, int b_form, int m, int n, int k, float alpha,
                                                  const uint16_t* a, int a_stride, const uint16_t* b, int b_stride,
                                                  float beta, float* c, int c_stride);
}

namespace lockstep::model {
namespace {

/// MKL has the function on every CPU, but only with AMX is it the fastest way.
bool has_matrix_unit_for_bf16() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  static const bool has = cblas_gemm_bf16bf16f32 != nullptr && __builtin_cpu_supports("amx-bf16") != 0;
  return has;
#else
  return false;
#endif
}

void multiply_by_mkl(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<float> out,
                     float beta) {
  constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
  const auto bits = [](const Factor<Bf16>& factor) { return reinterpret_cast<const uint16_t*>(factor.matrix.first); };
  cblas_gemm_bf16bf16f32(kRowMajor, a.transposed ? kTransposed : kPlain, b.transposed ? kTransposed : kPlain,
                         static_cast<int>(shape.rows), static_cast<int>(shape.columns), static_cast<int>(shape.inner),
                         1, bits(a), static_cast<int>(a.matrix.stride), bits(b), static_cast<int>(b.matrix.stride),
                         beta, out.first, static_cast<int>(out.stride));
}

/// A factor of rows x columns in fp32, in `memory`.
Factor<float> widened(const Factor<Bf16>& factor, int64_t rows, int64_t columns, std::vector<float>& memory) {
  if (factor.transposed) std::swap(rows, columns);
  memory.resize(static_cast<size_t>(rows * columns));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      memory[i * columns + j] = model::widened(factor.matrix.row(i)[j]);
  return {{memory.data(), columns}, factor.transposed};
}

}  // namespace

/// BLAS counts by columns: what it takes for out, a and b are their transposes, and out^T = b^T a^T.
void multiply(const ProductShape& shape, const Factor<float>& a, const Factor<float>& b, Rows<float> out, Into into) {
  const int m = static_cast<int>(shape.columns), n = static_cast<int>(shape.rows), k = static_cast<int>(shape.inner);
  const int a_stride = static_cast<int>(a.matrix.stride), b_stride = static_cast<int>(b.matrix.stride);
  const int out_stride = static_cast<int>(out.stride);
  const float one = 1, beta = into == Into::kAdd ? 1 : 0;
  sgemm_(b.transposed ? "T" : "N", a.transposed ? "T" : "N", &m, &n, &k, &one, b.matrix.first, &b_stride,
         a.matrix.first, &a_stride, &beta, out.first, &out_stride);
}

void multiply(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<float> out, Into into) {
  if (has_matrix_unit_for_bf16()) return multiply_by_mkl(shape, a, b, out, into == Into::kAdd ? 1 : 0);
  if (prefers_dot_products_of_bf16())
    return multiply_pairs(shape, a, b, out, into == Into::kAdd ? Rows<const float>(out) : Rows<const float>());
  multiply_widened(shape, a, b, out, into);
}

void multiply_widened(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<float> out,
                      Into into) {
  std::vector<float> a_memory, b_memory;
  multiply(shape, widened(a, shape.rows, shape.inner, a_memory), widened(b, shape.inner, shape.columns, b_memory), out,
           into);
}

}  // namespace lockstep::model
