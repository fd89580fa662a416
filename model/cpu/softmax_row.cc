#include "model/cpu/softmax_row.h"

#include <limits>

#include "model/cpu/exp.h"
#include "model/vectorize.h"

namespace lockstep::model {
namespace {

template <class T>
[[gnu::always_inline]] inline SoftmaxRow forward(float* scores, T* weights, int64_t length, float scale,
                                                 const RowDropout dropout) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < length; ++j)
    largest = scores[j] > largest ? scores[j] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < length; ++j) {
    const float e = exp_of_negative((scores[j] - largest) * scale);
    scores[j] = e;
    sum += e;
  }
  const float inverse = 1 / sum;
#pragma omp simd
  for (int64_t j = 0; j < length; ++j)
    store(weights[j], scores[j] * inverse * dropout.factor(j));
  return {largest, inverse};
}

template <class T>
[[gnu::always_inline]] inline void backward(const float* scores, const float* d_weights, T* weights, T* d_scores,
                                            int64_t length, float scale, const SoftmaxRow softmax, float delta,
                                            const RowDropout dropout) {
#pragma omp simd
  for (int64_t j = 0; j < length; ++j) {
    const float p = exp_of_negative((scores[j] - softmax.largest) * scale) * softmax.inverse_sum;
    const float kept = dropout.factor(j);
    const float d_score = scale * p * (d_weights[j] * kept - delta);
    store(weights[j], p * kept);
    store(d_scores[j], d_score);
  }
}

}  // namespace

LOCKSTEP_FOR_EACH_ISA SoftmaxRow softmax_row(float* scores, float* weights, int64_t length, float scale,
                                             const RowDropout& dropout) {
  return forward(scores, weights, length, scale, dropout);
}
LOCKSTEP_FOR_EACH_ISA SoftmaxRow softmax_row(float* scores, Bf16* weights, int64_t length, float scale,
                                             const RowDropout& dropout) {
  return forward(scores, weights, length, scale, dropout);
}

LOCKSTEP_FOR_EACH_ISA void softmax_row_backward(const float* scores, const float* d_weights, float* weights,
                                                float* d_scores, int64_t length, float scale, const SoftmaxRow& softmax,
                                                float delta, const RowDropout& dropout) {
  backward(scores, d_weights, weights, d_scores, length, scale, softmax, delta, dropout);
}
LOCKSTEP_FOR_EACH_ISA void softmax_row_backward(const float* scores, const float* d_weights, Bf16* weights,
                                                Bf16* d_scores, int64_t length, float scale, const SoftmaxRow& softmax,
                                                float delta, const RowDropout& dropout) {
  backward(scores, d_weights, weights, d_scores, length, scale, softmax, delta, dropout);
}

}  // namespace lockstep::model
