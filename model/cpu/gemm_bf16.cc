#include "model/cpu/gemm_bf16.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "model/vectorize.h"
#ifdef LOCKSTEP_X86_LEVELS
#include <immintrin.h>
#endif

namespace lockstep::model {

#ifndef LOCKSTEP_X86_LEVELS

bool has_dot_products_of_bf16() {
  return false;
}
bool prefers_dot_products_of_bf16() {
  return false;
}
template <class T>
void multiply_pairs(const ProductShape&, const Factor<Bf16>&, const Factor<Bf16>&, Rows<T>, Rows<const T>) {
  std::abort();  // has_dot_products_of_bf16() has said so
}

#else

namespace {

#define LOCKSTEP_FOR_PAIRS LOCKSTEP_FOR_ISA("avx512f,avx512bw,avx512vl,avx512bf16")

// The instruction takes pairs: elements 2k and 2k + 1 of the inner dimension, in one 32-bit word. A tile of kTileRows x
// kTileColumns sums stays in registers (24 of 32) while k runs; for each k it needs kTileColumns words of b and, one
// after the other, kTileRows words of a.
constexpr int64_t kLanes = 16;
constexpr int64_t kTileRows = 12;
constexpr int64_t kTileColumns = 2 * kLanes;
/// Words of b that are packed at a time: they fill half of a second-level cache of 1 MiB. Sums in fp32 get kInner pairs
/// of terms at a time; those that are to be rounded get all at once.
constexpr int64_t kPacked = 128 * 1024, kInner = 256;

/// Word (i, k) of a factor at first + i * row + k * pair, in elements of bf16.
struct Words {
  const Bf16* first = nullptr;
  int64_t row = 0, pair = 0;
};

/// Part of a product: which sums, and which of their terms.
struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

int64_t rounded_up(int64_t size, int64_t step) {
  return (size + step - 1) / step * step;
}

__mmask16 first_lanes(int64_t count) {
  return count >= kLanes ? __mmask16{0xFFFF} : static_cast<__mmask16>((1U << count) - 1U);
}

/// A word of a in all lanes; of a half word the other half is zero.
template <bool kIsHalf>
LOCKSTEP_FOR_PAIRS [[gnu::always_inline]] inline __m512bh spread(const Bf16* at) {
  uint32_t word = 0;
  std::memcpy(&word, at, kIsHalf ? sizeof(Bf16) : sizeof(word));
  return (__m512bh)_mm512_set1_epi32(static_cast<int>(word));
}

/// Rows 2k and 2k + 1 of a matrix, `inner` being the range of rows, as words of 16 columns: k-th words at out + k *
/// pair. Zeros stand in for what the matrix does not have.
LOCKSTEP_FOR_PAIRS void zip_rows(Rows<const Bf16> matrix, Range inner, int64_t column, int64_t columns, Bf16* out,
                                 int64_t pair) {
  const __mmask16 mask = first_lanes(columns - column);
  for (int64_t row = inner.begin; row < inner.end; row += 2, out += pair) {
    const __m256i low = _mm256_maskz_loadu_epi16(mask, matrix.row(row) + column);
    const __m256i high =
        row + 1 < inner.end ? _mm256_maskz_loadu_epi16(mask, matrix.row(row + 1) + column) : _mm256_setzero_si256();
    _mm512_storeu_si512(
        out, _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16)));
  }
}

/// 16 rows of 16 words become 16 columns.
LOCKSTEP_FOR_PAIRS void transpose_words(__m512i (&rows)[kLanes]) {
  __m512i other[kLanes];
  for (int64_t i = 0; i < kLanes; i += 2) {
    other[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    other[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int64_t i = 0; i < kLanes; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(other[i], other[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(other[i], other[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(other[i + 1], other[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(other[i + 1], other[i + 3]);
  }
  for (int64_t i = 0; i < 4; ++i) {
    other[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    other[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xDD);
    other[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    other[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xDD);
  }
  for (int64_t i = 0; i < 4; ++i) {
    rows[i] = _mm512_shuffle_i32x4(other[i], other[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(other[i], other[i + 8], 0xDD);
    rows[i + 4] = _mm512_shuffle_i32x4(other[i + 4], other[i + 12], 0x88);
    rows[i + 12] = _mm512_shuffle_i32x4(other[i + 4], other[i + 12], 0xDD);
  }
}

/// zip_rows() of the transpose of `matrix`, whose words lie in it as they are.
LOCKSTEP_FOR_PAIRS void zip_columns(Rows<const Bf16> matrix, Range inner, int64_t column, int64_t columns, Bf16* out,
                                    int64_t pair) {
  const int64_t count = std::min(kLanes, columns - column);
  for (int64_t k = inner.begin; k < inner.end; k += 2 * kLanes) {
    const int64_t left = std::min(2 * kLanes, inner.end - k);
    const __mmask32 mask = left == 2 * kLanes ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
    __m512i words[kLanes];
    for (int64_t i = 0; i < kLanes; ++i)
      words[i] = i < count ? _mm512_maskz_loadu_epi16(mask, matrix.row(column + i) + k) : _mm512_setzero_si512();
    transpose_words(words);
    for (int64_t i = 0; 2 * i < left; ++i, out += pair)
      _mm512_storeu_si512(out, words[i]);
  }
}

/// Words of 16 columns of a factor whose rows are the inner dimension.
void zip(const Factor<Bf16>& factor, Range inner, int64_t column, int64_t columns, Bf16* out, int64_t pair) {
  if (factor.transposed)
    zip_columns(factor.matrix, inner, column, columns, out, pair);
  else
    zip_rows(factor.matrix, inner, column, columns, out, pair);
}

/// One word of each row of a tile times one of each column.
template <bool kIsHalf, int kRows, int kVectors>
LOCKSTEP_FOR_PAIRS [[gnu::always_inline]] inline void add_words(__m512 (&sums)[kRows][kVectors], const Bf16* a,
                                                                int64_t row, const Bf16* b) {
  __m512bh columns[kVectors];
  for (int j = 0; j < kVectors; ++j)
    columns[j] = (__m512bh)_mm512_loadu_si512(b + j * 2 * kLanes);
  for (int i = 0; i < kRows; ++i) {
    const __m512bh word = spread<kIsHalf>(a + i * row);
    for (int j = 0; j < kVectors; ++j)
      sums[i][j] = _mm512_dpbf16_ps(sums[i][j], word, columns[j]);
  }
}

LOCKSTEP_FOR_PAIRS [[gnu::always_inline]] inline __m512 load(const float* from, __mmask16 mask) {
  return _mm512_maskz_loadu_ps(mask, from);
}
LOCKSTEP_FOR_PAIRS [[gnu::always_inline]] inline __m512 load(const Bf16* from, __mmask16 mask) {
  const __m512i words = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}
LOCKSTEP_FOR_PAIRS [[gnu::always_inline]] inline void store(float* to, __mmask16 mask, __m512 values) {
  _mm512_mask_storeu_ps(to, mask, values);
}
LOCKSTEP_FOR_PAIRS [[gnu::always_inline]] inline void store(Bf16* to, __mmask16 mask, __m512 values) {
  _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh(values));
}

/// A tile's sums, with `added`, which may be null. b: words of kTileColumns columns, one k after the other. `is_odd`:
/// of the last word of a only the first half is there. `last`: lanes of the last vector.
template <class T, int kRows, int kVectors>
LOCKSTEP_FOR_PAIRS void add_up(const Words& a, const Bf16* b, int64_t pairs, bool is_odd, Rows<T> out,
                               Rows<const T> added, __mmask16 last) {
  __m512 sums[kRows][kVectors];
  for (auto& row : sums)
    for (__m512& sum : row)
      sum = _mm512_setzero_ps();
  const Bf16* words = a.first;
  for (int64_t k = is_odd ? 1 : 0; k < pairs; ++k, words += a.pair, b += 2 * kTileColumns)
    add_words<false>(sums, words, a.row, b);
  if (is_odd) add_words<true>(sums, words, a.row, b);
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j) {
      const __mmask16 mask = j == kVectors - 1 ? last : __mmask16{0xFFFF};
      if (added.first != nullptr) sums[i][j] = _mm512_add_ps(sums[i][j], load(added.row(i) + j * kLanes, mask));
      store(out.row(i) + j * kLanes, mask, sums[i][j]);
    }
}

template <class T>
using AddUp = void (*)(const Words&, const Bf16*, int64_t, bool, Rows<T>, Rows<const T>, __mmask16);

/// By rows - 1 and vectors - 1.
template <class T, int... kRowsLess1>
constexpr std::array<std::array<AddUp<T>, 2>, kTileRows> kernels(std::integer_sequence<int, kRowsLess1...>) {
  return {{{add_up<T, kRowsLess1 + 1, 1>, add_up<T, kRowsLess1 + 1, 2>}...}};
}
template <class T>
constexpr auto kKernels = kernels<T>(std::make_integer_sequence<int, static_cast<int>(kTileRows)>());

/// One thread's packed words, in memory that stays.
struct Packed {
  std::vector<Bf16> a, b;
};
void grow(std::vector<Bf16>& memory, int64_t words) {
  if (memory.size() < static_cast<size_t>(2 * words)) memory.resize(static_cast<size_t>(2 * words));
}

/// Words of rows `begin` to `end` of a: they lie in a as it is, unless it is transposed.
Words words_of(const Factor<Bf16>& a, Range rows, Range inner, std::vector<Bf16>& memory) {
  if (!a.transposed) return {a.matrix.row(rows.begin) + inner.begin, a.matrix.stride, 2};
  zip_rows(a.matrix, inner, rows.begin, rows.end, memory.data(), 2 * kLanes);
  return {memory.data(), 2, 2 * kLanes};
}

void pack_columns(const Factor<Bf16>& b, Range inner, Range columns, Bf16* out) {
  const int64_t pairs = (inner.size() + 1) / 2;
  for (int64_t j = columns.begin; j < columns.end; j += kTileColumns, out += 2 * kTileColumns * pairs)
    for (int64_t half = j; half < std::min(columns.end, j + kTileColumns); half += kLanes)
      zip(b, inner, half, columns.end, out + 2 * (half - j), 2 * kTileColumns);
}

/// The part of one thread: some rows of the product.
template <class T>
class RowsOfProduct {
 public:
  RowsOfProduct(const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<T> out, Range rows)
      : a_(a), b_(b), out_(out), rows_(rows) {}

  void multiply(const ProductShape& shape, Rows<const T> added) {
    const int64_t pairs = std::max<int64_t>(1, (shape.inner + 1) / 2);
    const int64_t depth = std::is_same_v<T, Bf16> ? pairs : std::min(pairs, kInner);
    const int64_t width = std::max(kTileColumns, kPacked / depth / kTileColumns * kTileColumns);
    grow(memory_.a, depth * kLanes);
    grow(memory_.b, depth * std::min(width, rounded_up(shape.columns, kTileColumns)));
    for (int64_t j = 0; j < shape.columns; j += width)
      for (int64_t k = 0; k == 0 || k < shape.inner; k += 2 * depth)  // also sums of no terms are written
        add_terms({j, std::min(shape.columns, j + width)}, {k, std::min(shape.inner, k + 2 * depth)},
                  k == 0 ? added : Rows<const T>(out_));
  }

 private:
  void add_terms(Range columns, Range inner, Rows<const T> added) {
    pack_columns(b_, inner, columns, memory_.b.data());
    for (int64_t i = rows_.begin; i < rows_.end; i += kTileRows)
      add_to_rows({i, std::min(rows_.end, i + kTileRows)}, columns, inner, added);
  }

  void add_to_rows(Range rows, Range columns, Range inner, Rows<const T> added) {
    const Words words = words_of(a_, rows, inner, memory_.a);
    const int64_t pairs = (inner.size() + 1) / 2;
    const bool is_odd = inner.size() % 2 != 0 && !a_.transposed;  // what is packed is filled up with zeros
    const Bf16* b = memory_.b.data();
    for (int64_t j = columns.begin; j < columns.end; j += kTileColumns, b += 2 * kTileColumns * pairs) {
      const int64_t width = std::min(kTileColumns, columns.end - j);
      const int vectors = width > kLanes ? 2 : 1;
      kKernels<T>[rows.size() - 1][vectors - 1](words, b, pairs, is_odd, part(out_, rows, j), part(added, rows, j),
                                                first_lanes(width - (vectors - 1) * kLanes));
    }
  }

  template <class U>
  static Rows<U> part(Rows<U> all, Range rows, int64_t column) {
    return {all.first == nullptr ? nullptr : all.row(rows.begin) + column, all.stride};
  }

  static Packed& packed() {
    thread_local Packed mine;
    return mine;
  }

  const Factor<Bf16>&a_, &b_;
  Rows<T> out_;
  Range rows_;
  Packed& memory_ = packed();
};

}  // namespace

bool has_dot_products_of_bf16() {
  static const bool has = __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                          __builtin_cpu_supports("avx512vl") != 0;
  return has;
}

bool prefers_dot_products_of_bf16() {
  static const bool prefers = has_dot_products_of_bf16() && __builtin_cpu_supports("amx-bf16") == 0;
  return prefers;
}

template <class T>
void multiply_pairs(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<T> out,
                    Rows<const T> added) {
  const auto multiply = [&](Range rows) { RowsOfProduct<T>(a, b, out, rows).multiply(shape, added); };
  if (omp_in_parallel() != 0) return multiply({0, shape.rows});
  const int64_t share = rounded_up((shape.rows + omp_get_max_threads() - 1) / omp_get_max_threads(), kTileRows);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < shape.rows; i += share)
    multiply({i, std::min(shape.rows, i + share)});
}

#endif

template void multiply_pairs(const ProductShape&, const Factor<Bf16>&, const Factor<Bf16>&, Rows<float>,
                             Rows<const float>);
template void multiply_pairs(const ProductShape&, const Factor<Bf16>&, const Factor<Bf16>&, Rows<Bf16>,
                             Rows<const Bf16>);

}  // namespace lockstep::model
