#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/model/tiny_model.h"

namespace lockstep::model {
namespace {

constexpr int64_t kDim = 16;

class WordGradientRows : public testing::TestWithParam<Memory> {
 protected:
  WordGradientRows() {
    for (size_t i = 0; i < all_.size(); ++i)
      all_[i] = static_cast<float>(i);
  }

  /// First element of a word's row in the flat gradient.
  int64_t at(int64_t word) const { return model_.layout().word_embeddings().offset + word * kDim; }

  DistilBert model_ = tiny_model();
  std::span<float> all_ = model_.host_gradients();
};

TEST_P(WordGradientRows, AreGatheredInTheGivenOrder) {
  const auto rows = model_.gather_word_gradient_rows(std::vector<int32_t>{3, 39, 0}, GetParam());
  ASSERT_EQ(rows.size(), 3U * kDim);
  for (int64_t i = 0; i < kDim; ++i) {
    EXPECT_EQ(rows[i], static_cast<float>(at(3) + i));
    EXPECT_EQ(rows[kDim + i], static_cast<float>(at(39) + i));
    EXPECT_EQ(rows[2 * kDim + i], static_cast<float>(at(0) + i));
  }
}

TEST_P(WordGradientRows, AreScatteredToWhereTheyCameFromAndNothingElseChanges) {
  std::vector<float> expected(all_.begin(), all_.end());
  const std::vector<int32_t> words = {1, 7};
  for (float& value : model_.gather_word_gradient_rows(words, GetParam()))
    value = -value;
  for (const int64_t word : words)
    for (int64_t i = 0; i < kDim; ++i)
      expected[at(word) + i] *= -1;
  model_.scatter_word_gradient_rows(words, GetParam());
  EXPECT_TRUE(std::ranges::equal(all_, expected));
}

TEST_P(WordGradientRows, MayBeMoreOrFewerInTheNextStep) {
  for (const size_t count : {2, 40, 1}) {
    std::vector<int32_t> words(count);
    for (size_t i = 0; i < count; ++i)
      words[i] = static_cast<int32_t>(i);
    const auto rows = model_.gather_word_gradient_rows(words, GetParam());
    EXPECT_TRUE(std::ranges::equal(rows, all_.subspan(at(0), count * kDim)));
  }
}

TEST_P(WordGradientRows, BeyondTheVocabularyOrNotGatheredAreRefused) {
  const auto gather = [&](std::vector<int32_t> words) { model_.gather_word_gradient_rows(words, GetParam()); };
  const auto scatter = [&](std::vector<int32_t> words) { model_.scatter_word_gradient_rows(words, GetParam()); };
  EXPECT_THROW(scatter({1}), std::invalid_argument);
  EXPECT_THROW(gather({3, 40}), std::invalid_argument);
  EXPECT_THROW(gather({-1}), std::invalid_argument);
  gather({1, 2});
  EXPECT_THROW(scatter({1}), std::invalid_argument);
  EXPECT_THROW(scatter({1, 3}), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Memories, WordGradientRows, testing::Values(Memory::kHost, Memory::kDevice));

}  // namespace
}  // namespace lockstep::model
