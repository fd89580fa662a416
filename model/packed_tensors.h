#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <span>
#include <vector>

#include "model/dropout.h"

namespace lockstep::model {

/// The counters of some examples' masks, end to end, on a device.
struct MaskCounters {
  std::vector<int64_t> sizes;  // of each example
  at::Tensor block, example;   // [counters], int64: its number in its example's mask, and that example's id
};
MaskCounters make_mask_counters(std::span<const int64_t> example_ids, std::vector<int64_t> sizes, at::Device device);

/// Those of one batch's examples, each made when masks of such sizes are first asked for: every layer's are the same,
/// and backward's are forward's.
class MaskCounterCache {
 public:
  const MaskCounters& get(std::span<const int64_t> example_ids, std::vector<int64_t> sizes, at::Device device);

 private:
  std::deque<MaskCounters> made_;
};

/// Rows that belong to examples: example i owns rows[offsets[i]] .. rows[offsets[i + 1] - 1]. Host memory, borrowed.
struct Examples {
  std::span<const int32_t> offsets;
  std::span<const int64_t> ids;          // empty when dropout is off
  MaskCounterCache* counters = nullptr;  // of these ids; null: masks on a device make them anew
  at::Tensor device_offsets = {};        // `offsets` on the device, int32; undefined on the host

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

/// `host` on `device`, queued there in pinned memory: nobody waits for the copy. On the CPU `host` itself.
at::Tensor to_device(const at::Tensor& host, at::Device device);

/// rows *= the examples' masks; element = row in the example * columns + column. On the host and on devices the same
/// bits. fp32 or bf16.
void drop_rows(const at::Tensor& rows, const Examples& examples, const DropoutPlace& place);

/// The same masks as apply_dropout() from ATen's integer operations, on any device: for each example i the factors of
/// its elements 0 .. 8 * sizes[i] - 1, end to end.
at::Tensor mask_by_tensor_operations(const MaskCounters& counters, const DropoutPlace& place);
/// The same from one kernel, compiled when it is first asked for: on GPUs, in a build with CUDA. Throws where
/// LibTorch cannot compile it.
at::Tensor mask_by_kernel(const MaskCounters& counters, const DropoutPlace& place);
/// By the kernel where that gives on this device what tensor operations give; with the counters that `examples` may
/// have already.
at::Tensor masks_of(const Examples& examples, std::vector<int64_t> sizes, const DropoutPlace& place, at::Device device);

}  // namespace lockstep::model
