// A step in its stride allocates nothing large: its memory is there already, and mapped.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "model/compute.h"
#include "model/exchange_buffer.h"
#include "model/optimizer.h"
#include "tests/model/tiny_model.h"

namespace {

constexpr size_t kLarge = 64 << 10;
std::atomic<int64_t> large_allocations{0};

void note(size_t size) {
  if (size >= kLarge) ++large_allocations;
}

/// LibTorch's, counted.
class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator& inner) : inner_(inner) {}
  c10::DataPtr allocate(size_t size) override {
    note(size);
    return inner_.allocate(size);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_.raw_deleter(); }
  void copy_data(void* to, const void* from, size_t count) const override { inner_.copy_data(to, from, count); }

 private:
  c10::Allocator& inner_;
};

}  // namespace

// Not inlined: the compiler would see memory of malloc() end in operator delete, and complain.
[[gnu::noinline]] void* operator new(size_t size) {
  note(size);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace lockstep::model {
namespace {

int64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// 2 400 tokens, 600 KB and more a matrix.
TinyBatch large_batch(int32_t longest) {
  TinyBatch batch;
  for (int64_t i = 0; i < 24; ++i)
    batch.add(i, longest - static_cast<int32_t>(i), static_cast<int32_t>(i % 3));
  return batch;
}

DistilBertConfig config() {
  DistilBertConfig config = tiny_config();
  config.dim = 64;
  config.hidden_dim = 128;
  config.max_position_embeddings = 128;
  return config;
}

class Memory : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    static CountingAllocator counting(*c10::GetCPUAllocator());
    c10::SetCPUAllocator(&counting, 1);
    model_.initialize(3, false);
  }
  void step(const TinyBatch& batch) {
    model_.forward_backward(batch.input(), 1, step_++, 1);
    exchange_.load_word_rows(words_);
    exchange_.store_word_rows();
    optimizer_.step(1e-3);
  }

  DistilBert model_{config(), "cpu", GetParam()};
  AdamW optimizer_{model_, {}};
  ExchangeBuffer exchange_{model_, {.bfloat16 = true}};
  const std::vector<int32_t> words_ = {1, 2, 3};
  int64_t step_ = 0;
};

TEST_P(Memory, IsAllocatedByTheFirstStepsOnly) {
  if (GetParam() == Precision::kBFloat16 && !has_bfloat16("cpu"))
    GTEST_SKIP() << "without bf16 instructions LibTorch multiplies, in scratch of its own; train warns of that";
  const int64_t before = large_allocations;
  for (const int32_t longest : {118, 112, 90})
    step(large_batch(longest));
  EXPECT_GT(large_allocations, before) << "allocations are not seen";
  // Other numbers of tokens, but of the same multiples of kRowStep.
  const std::vector<TinyBatch> others = {large_batch(111), large_batch(91), large_batch(117)};
  const int64_t warm = large_allocations;
  [[maybe_unused]] const int64_t faults = page_faults();
  for (const TinyBatch& batch : others)
    step(batch);
  EXPECT_EQ(large_allocations, warm);
#ifndef __SANITIZE_ADDRESS__  // which gives memory back to the system, for LibTorch's small temporaries too
  EXPECT_LT(page_faults() - faults, 1000);
#endif
}

INSTANTIATE_TEST_SUITE_P(Precisions, Memory, testing::Values(Precision::kFloat32, Precision::kBFloat16));

}  // namespace
}  // namespace lockstep::model
