#pragma once

#include <ATen/core/Tensor.h>

#include "model/parameter_layout.h"

namespace lockstep::model {

/// Elements: 256 bytes of bf16, 512 of fp32.
inline constexpr int64_t kFlatAlignment = 128;

/// How many elements must stand before a flat vector in aligned memory for `pre_classifier.weight` to begin at a
/// multiple of kFlatAlignment; with widths that are multiples of it, every later slot then does, too. The classifier
/// alone, one row and one bias for each label, is of any size.
int64_t elements_before(const ParameterLayout& layout);

/// `count` zeros for the first elements of the layout, behind elements_before() others.
at::Tensor aligned_zeros(const ParameterLayout& layout, int64_t count, const at::TensorOptions& options);

/// The same on a device, whose kernels and collectives read 16 bytes at a time only from addresses that are multiples
/// of them; on the CPU nothing stands before them.
at::Tensor flat_zeros(const ParameterLayout& layout, int64_t count, const at::TensorOptions& options);

}  // namespace lockstep::model
