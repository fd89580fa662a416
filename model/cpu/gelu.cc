#include "model/cpu/gelu.h"

#include "model/cpu/exp.h"
#include "model/vectorize.h"

namespace lockstep::model {
namespace {

/// Of the standard normal distribution, at x.
struct Normal {
  float cumulative, density;
};

[[gnu::always_inline]] inline Normal normal(float x) {
  constexpr float kRootHalf = 0.707106781F, kInverseRootTwoPi = 0.398942280F;
  const float magnitude = x < 0 ? -x : x;
  const float e = exp_of_negative(-0.5F * x * x);
  const float t = 1 / (1 + 0.3275911F * kRootHalf * magnitude);
  float series = 1.061405429F;
  series = series * t - 1.453152027F;
  series = series * t + 1.421413741F;
  series = series * t - 0.284496736F;
  series = series * t + 0.254829592F;
  const float tail = 0.5F * series * t * e;
  return {x < 0 ? tail : 1 - tail, kInverseRootTwoPi * e};
}

template <class T>
[[gnu::always_inline]] inline void forward(const T* __restrict in, T* __restrict out, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const float x = widened(in[j]);
    store(out[j], x * normal(x).cumulative);
  }
}

template <class T>
[[gnu::always_inline]] inline void backward(const T* __restrict in, T* __restrict out, T* __restrict gradient,
                                            float* __restrict sums, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const float x = widened(in[j]);
    const Normal here = normal(x);
    store(out[j], x * here.cumulative);
    const float d_in = widened(gradient[j]) * (here.cumulative + x * here.density);
    store(gradient[j], d_in);
    sums[j] += d_in;
  }
}

}  // namespace

LOCKSTEP_FOR_EACH_ISA void gelu_row(const float* in, float* out, int64_t count) {
  forward(in, out, count);
}
LOCKSTEP_FOR_EACH_ISA void gelu_row(const Bf16* in, Bf16* out, int64_t count) {
  forward(in, out, count);
}

LOCKSTEP_FOR_EACH_ISA void gelu_row_backward(const float* in, float* out, float* gradient, float* sums, int64_t count) {
  backward(in, out, gradient, sums, count);
}
LOCKSTEP_FOR_EACH_ISA void gelu_row_backward(const Bf16* in, Bf16* out, Bf16* gradient, float* sums, int64_t count) {
  backward(in, out, gradient, sums, count);
}

}  // namespace lockstep::model
