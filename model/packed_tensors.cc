#include "model/packed_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <vector>

#ifdef LOCKSTEP_CUDA
#include <ATen/cuda/jiterator.h>

#include "model/eight_draws.h"
#endif
#include "model/philox.h"

namespace lockstep::model {
namespace {

constexpr int64_t kLowHalf = 0xFFFFFFFF;

/// (x >> 32) of a product of two 32-bit words: 64-bit arithmetic wraps, the shift's sign bits are masked away.
at::Tensor high_half(const at::Tensor& x) {
  return x.bitwise_right_shift(32).bitwise_and_(kLowHalf);
}
at::Tensor low_half(const at::Tensor& x) {
  return x.bitwise_and(kLowHalf);
}

/// philox() on every element of the four words, each in an int64.
void philox_tensors(std::array<at::Tensor, 4>& c, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const at::Tensor a = c[0] * int64_t{kPhiloxMultiplier0};
    const at::Tensor b = c[2] * int64_t{kPhiloxMultiplier1};
    c[0] = high_half(b).bitwise_xor_(c[1]).bitwise_xor_(int64_t{key.low});
    c[2] = high_half(a).bitwise_xor_(c[3]).bitwise_xor_(int64_t{key.high});
    c[1] = low_half(b);
    c[3] = low_half(a);
    key.low += kPhiloxWeyl0;
    key.high += kPhiloxWeyl1;
  }
}

void drop_rows_on_host(const at::Tensor& rows, const Examples& examples, const DropoutPlace& place) {
  const at::Tensor in_float = rows.to(at::kFloat);  // the same tensor if it is fp32 already
  auto* values = in_float.mutable_data_ptr<float>();
  const int64_t columns = rows.size(1);
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < examples.count(); ++i)
    apply_dropout(values + examples.begin(i) * columns, examples.length(i) * columns, 0, place.of(examples.ids[i]),
                  place.p);
  if (!in_float.is_same(rows)) rows.copy_(in_float);
}

void drop_rows_on_device(const at::Tensor& rows, const Examples& examples, const DropoutPlace& place) {
  const int64_t columns = rows.size(1);
  std::vector<int64_t> counters;
  for (int64_t i = 0; i < examples.count(); ++i)
    counters.push_back((examples.length(i) * columns + kDrawsPerCounter - 1) / kDrawsPerCounter);
  const at::Tensor mask = masks_of(examples, counters, place, rows.device());
  if (columns % kDrawsPerCounter == 0) {  // then no example ends within a counter
    rows.mul_(mask.view(rows.sizes()));
    return;
  }
  int64_t start = 0;
  for (int64_t i = 0; i < examples.count(); ++i) {
    rows.narrow(0, examples.begin(i), examples.length(i))
        .mul_(mask.narrow(0, start, examples.length(i) * columns).view({examples.length(i), columns}));
    start += counters[i] * kDrawsPerCounter;
  }
}

}  // namespace

int64_t Examples::longest() const {
  int64_t longest = 0;
  for (int64_t i = 0; i < count(); ++i)
    longest = std::max(longest, length(i));
  return longest;
}

DropoutKey DropoutPlace::of(int64_t example_id) const {
  DropoutKey result = key;
  result.example_id = example_id;
  return result;
}

at::Tensor& fit(at::Tensor& buffer, int64_t rows, int64_t columns, const at::Tensor& like) {
  if (!buffer.defined()) buffer = at::empty({0}, like.options());
  const int64_t room = (rows + kRowStep - 1) / kRowStep * kRowStep;
  if (buffer.storage().nbytes() < static_cast<size_t>(room * columns * buffer.element_size()))
    buffer.resize_({room + room / 8, columns});
  buffer.resize_({rows, columns});
  return buffer;
}

void drop_rows(const at::Tensor& rows, const Examples& examples, const DropoutPlace& place) {
  if (place.p == 0) return;
  if (rows.is_cpu()) {
    drop_rows_on_host(rows, examples, place);
  } else {
    drop_rows_on_device(rows, examples, place);
  }
}

at::Tensor to_device(const at::Tensor& host, at::Device device) {
  return device.is_cpu() ? host : host.pin_memory().to(device, /*non_blocking=*/true);
}

MaskCounters make_mask_counters(std::span<const int64_t> example_ids, std::vector<int64_t> sizes, at::Device device) {
  const auto examples = static_cast<int64_t>(sizes.size());
  const at::Tensor host = at::empty({3, examples}, at::kLong);
  auto rows = host.accessor<int64_t, 2>();
  int64_t total = 0;
  for (int64_t i = 0; i < examples; ++i) {
    rows[0][i] = sizes[i];
    rows[1][i] = total;
    rows[2][i] = example_ids[i];
    total += sizes[i];
  }
  const at::Tensor facts = to_device(host, device);
  const at::Tensor owner = at::repeat_interleave(facts[0], std::optional<int64_t>(total));
  return {std::move(sizes), at::arange(total, facts.options()) - facts[1].index_select(0, owner),
          facts[2].index_select(0, owner)};
}

const MaskCounters& MaskCounterCache::get(std::span<const int64_t> example_ids, std::vector<int64_t> sizes,
                                          at::Device device) {
  const auto made = std::ranges::find(made_, sizes, &MaskCounters::sizes);
  if (made != made_.end()) return *made;
  return made_.emplace_back(make_mask_counters(example_ids, std::move(sizes), device));
}

at::Tensor mask_by_tensor_operations(const MaskCounters& counters, const DropoutPlace& place) {
  const auto layer_and_site = int64_t{mask_counter(place.key, 0)[1]};
  std::array<at::Tensor, 4> words = {counters.block, at::full_like(counters.block, layer_and_site),
                                     low_half(counters.example), high_half(counters.example)};
  philox_tensors(words, philox_key(place.key.seed, place.key.step));
  const at::Tensor word = at::stack(words, 1);  // [counters, 4]
  const at::Tensor draws = at::stack({word.bitwise_and(0xFFFF), word.bitwise_right_shift(16)}, 2).flatten();
  return draws.ge(int64_t{drop_threshold(place.p)}).to(at::kFloat).mul_(static_cast<float>(1 / (1 - place.p)));
}

#ifdef LOCKSTEP_CUDA
at::Tensor mask_by_kernel(const MaskCounters& counters, const DropoutPlace& place) {
  const PhiloxKey key = philox_key(place.key.seed, place.key.step);
  const at::Tensor kept = at::cuda::CompileAndLaunchKernel(
      kEightDrawsText, "eight_draws", 1, {counters.block, counters.example},
      {int64_t{mask_counter(place.key, 0)[1]}, int64_t{key.low}, int64_t{key.high}, int64_t{drop_threshold(place.p)}},
      /*return_by_ref=*/false)[0];
  return kept.view(at::kByte).to(at::kFloat).mul_(static_cast<float>(1 / (1 - place.p)));
}

namespace {

/// Tried once, on the device of the process.
bool kernel_gives_the_same(at::Device device) {
  const std::vector<int64_t> ids = {5, int64_t{3} << 40};
  const MaskCounters counters = make_mask_counters(ids, {7, 300}, device);
  const DropoutPlace place = {{11, 2, 0, 3, DropoutSite::kFeedForward}, 0.3};
  try {
    return mask_by_kernel(counters, place).equal(mask_by_tensor_operations(counters, place));
  } catch (const std::exception&) {  // NVRTC's failures are no c10::Error
    return false;
  }
}

}  // namespace
#endif

namespace {

at::Tensor mask_of(const MaskCounters& counters, const DropoutPlace& place) {
#ifdef LOCKSTEP_CUDA
  if (counters.block.is_cuda()) {
    static const bool by_kernel = kernel_gives_the_same(counters.block.device());
    if (by_kernel) return mask_by_kernel(counters, place);
  }
#endif
  return mask_by_tensor_operations(counters, place);
}

}  // namespace

at::Tensor masks_of(const Examples& examples, std::vector<int64_t> sizes, const DropoutPlace& place,
                    at::Device device) {
  if (examples.counters == nullptr) return mask_of(make_mask_counters(examples.ids, std::move(sizes), device), place);
  return mask_of(examples.counters->get(examples.ids, std::move(sizes), device), place);
}

}  // namespace lockstep::model
