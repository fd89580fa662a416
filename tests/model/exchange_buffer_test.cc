#include "model/exchange_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "tests/model/tiny_model.h"

namespace lockstep::model {
namespace {

constexpr int64_t kDim = 16;

/// Touched rows, in each form. Values are small integers, which bf16 holds exactly.
class ExchangedRows : public testing::TestWithParam<bool> {
 protected:
  ExchangedRows() {
    for (size_t i = 0; i < all_.size(); ++i)
      all_[i] = static_cast<float>(i % 251);
  }

  /// First element of a word's row in the flat gradient.
  int64_t at(int64_t word) const { return model_.layout().word_embeddings().offset + word * kDim; }

  float number(const void* numbers, int64_t i) const {
    if (!buffer_.form().bfloat16) return static_cast<const float*>(numbers)[i];
    return std::bit_cast<float>(static_cast<uint32_t>(static_cast<const uint16_t*>(numbers)[i]) << 16);
  }

  void negate(void* numbers, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      if (buffer_.form().bfloat16)
        static_cast<uint16_t*>(numbers)[i] ^= 0x8000;
      else
        static_cast<float*>(numbers)[i] *= -1;
  }

  void expect_rows(const void* numbers, const std::vector<int32_t>& words) const {
    for (size_t row = 0; row < words.size(); ++row)
      for (int64_t i = 0; i < kDim; ++i)
        EXPECT_EQ(number(numbers, static_cast<int64_t>(row) * kDim + i), all_[at(words[row]) + i]);
  }

  DistilBert model_ = tiny_model();
  std::span<float> all_ = model_.gradients();
  ExchangeBuffer buffer_{model_, {.bfloat16 = GetParam(), .on_host = true}};
};

TEST_P(ExchangedRows, AreLoadedInTheGivenOrder) {
  const std::vector<int32_t> words = {3, 39, 0};
  expect_rows(buffer_.load_word_rows(words), words);
}

TEST_P(ExchangedRows, AreStoredWhereTheyCameFromAndNothingElseChanges) {
  std::vector<float> expected(all_.begin(), all_.end());
  const std::vector<int32_t> words = {1, 7};
  negate(buffer_.load_word_rows(words), 2 * kDim);
  buffer_.store_word_rows();
  for (const int64_t word : words)
    for (int64_t i = 0; i < kDim; ++i)
      expected[at(word) + i] *= -1;
  EXPECT_TRUE(std::ranges::equal(all_, expected));
}

TEST_P(ExchangedRows, MayBeMoreOrFewerInTheNextStep) {
  for (const size_t count : {2, 40, 1}) {
    std::vector<int32_t> words(count);
    for (size_t i = 0; i < count; ++i)
      words[i] = static_cast<int32_t>(i);
    expect_rows(buffer_.load_word_rows(words), words);
  }
}

TEST_P(ExchangedRows, BeyondTheVocabularyAreRefused) {
  EXPECT_THROW(buffer_.load_word_rows(std::vector<int32_t>{3, 40}), std::invalid_argument);
  EXPECT_THROW(buffer_.load_word_rows(std::vector<int32_t>{-1}), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Forms, ExchangedRows, testing::Bool(),
                         [](const auto& form) { return form.param ? "bf16" : "fp32"; });

}  // namespace
}  // namespace lockstep::model
