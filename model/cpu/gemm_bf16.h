#pragma once

#include "model/cpu/gemm.h"

namespace lockstep::model {

/// Whether this CPU has AVX512_BF16, an instruction that multiplies pairs of bf16 and adds them to fp32.
bool has_dot_products_of_bf16();
/// Whether multiply_pairs() is the best way to multiply bf16 here: those instructions, and no AMX.
bool prefers_dot_products_of_bf16();

/// out = a b + added, by those instructions, where they are. `added`: null for nothing, `out` itself, or with stride 0
/// one row for all. Sums are fp32 and rounded once, if T is Bf16. The same bits with any number of threads. Allocates
/// nothing after the first products of a thread.
template <class T>
void multiply_pairs(const ProductShape& shape, const Factor<Bf16>& a, const Factor<Bf16>& b, Rows<T> out,
                    Rows<const T> added);

}  // namespace lockstep::model
