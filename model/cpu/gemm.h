#pragma once

#include <cstdint>
#include <type_traits>

#include "model/cpu/bfloat16.h"

namespace lockstep::model {

/// A matrix's rows, `stride` elements from one to the next.
template <class T>
struct Rows {
  T* first = nullptr;
  int64_t stride = 0;

  T* row(int64_t i) const { return first + i * stride; }
  Rows from(int64_t i) const { return {row(i), stride}; }
  operator Rows<const T>() const { return {first, stride}; }
};

/// out [rows, columns] = a [rows, inner] times b [inner, columns].
struct ProductShape {
  int64_t rows = 0, columns = 0, inner = 0;
};

/// A factor as it is, or its transpose: then `matrix` holds [columns, rows].
template <class T>
struct Factor {
  Rows<const T> matrix;
  bool transposed = false;
};
template <class T>
Factor<std::remove_const_t<T>> plain(Rows<T> matrix) {
  return {matrix, false};
}
template <class T>
Factor<std::remove_const_t<T>> transposed(Rows<T> matrix) {
  return {matrix, true};
}

enum class Into { kReplace, kAdd };

/// Products whose sums and result are fp32, whatever the factors. Uses as many threads as LibTorch's products do: one
/// inside a parallel region.
void multiply(const ProductShape& shape, const Factor<float>& a, const Factor<float>& b, Rows<float> out, Into into);
void multiply(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<float> out, Into into);
/// What the latter is on CPUs without instructions for bf16: the factors are widened first.
void multiply_widened(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<float> out,
                      Into into);

}  // namespace lockstep::model
