#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "model/dropout.h"

namespace lockstep::model {

/// Rows that belong to examples: example i owns rows[offsets[i]] .. rows[offsets[i + 1] - 1]. Host memory, borrowed.
struct Examples {
  std::span<const int32_t> offsets;
  std::span<const int64_t> ids;  // empty when dropout is off

  int64_t count() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t begin(int64_t i) const { return offsets[i]; }
  int64_t length(int64_t i) const { return offsets[i + 1] - offsets[i]; }
  int64_t longest() const;
};

/// One dropout place of one step: everything of the key but the example. p = 0: off.
struct DropoutPlace {
  DropoutKey key;
  double p = 0;

  DropoutKey of(int64_t example_id) const;
};

/// Rows of a buffer that fit() made, to the next multiple of this, may be computed with; what is beyond is anything.
inline constexpr int64_t kRowStep = 128;

/// Makes `buffer` a [rows, columns] matrix of the type and device of `like`. It keeps its memory, which grows by more
/// than was asked for, so that batches of somewhat different sizes soon need no more.
at::Tensor& fit(at::Tensor& buffer, int64_t rows, int64_t columns, const at::Tensor& like);

/// rows *= the examples' masks; element = row in the example * columns + column. On the host and on devices the same
/// bits. fp32 or bf16.
void drop_rows(const at::Tensor& rows, const Examples& examples, const DropoutPlace& place);

/// The same masks as apply_dropout() from ATen's integer operations, on any device: for each example i the factors of
/// its elements 0 .. 8 * counters[i] - 1, end to end.
at::Tensor mask_by_tensor_operations(std::span<const int64_t> example_ids, std::span<const int64_t> counters,
                                     const DropoutPlace& place, at::Device device);

}  // namespace lockstep::model
