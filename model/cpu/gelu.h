#pragma once

#include <cstdint>

#include "model/cpu/bfloat16.h"

namespace lockstep::model {

/// The exact GELU, x * (1 + erf(x / sqrt 2)) / 2, with an erf that is right to 1.5e-7 (Abramowitz and Stegun, 7.1.26),
/// which is what LibTorch's vectorized one is.
void gelu_row(const float* in, float* out, int64_t count);
void gelu_row(const Bf16* in, Bf16* out, int64_t count);

/// `gradient`, of gelu(in), becomes that of `in`, and is added to `sums`; `out` becomes gelu(in) once more.
void gelu_row_backward(const float* in, float* out, float* gradient, float* sums, int64_t count);
void gelu_row_backward(const Bf16* in, Bf16* out, Bf16* gradient, float* sums, int64_t count);

}  // namespace lockstep::model
