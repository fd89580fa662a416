#include "data/spelling.h"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep::data {
namespace {

const std::vector<std::string> kNames{"model", "output", "max_length", "num_train_epochs", "shards"};

TEST(Nearest, IsTheOneOfFewestEdits) {
  EXPECT_EQ(nearest("modle", kNames), "model");
  EXPECT_EQ(nearest("MAX_LENGHT", kNames), "max_length");
}

TEST(Nearest, IsElseTheOneWithTheSameWords) {
  EXPECT_EQ(nearest("model_name_or_path", kNames), "model");
  EXPECT_EQ(nearest("epochs", kNames), "num_train_epochs");
}

TEST(Nearest, IsNoneWhereNothingIsAlike) {
  EXPECT_EQ(nearest("zzzzzzzzzz", kNames), "");
  EXPECT_EQ(nearest("remodelled_walls", kNames), "");
}

TEST(OneSlipFrom, IsALetterTooManyTooFewWrongOrTwoExchanged) {
  const std::vector<std::string> columns{"id", "label", "team"};
  for (const std::string word : {"labels", "labl", "Lapel", "lable", "LABEL"})
    EXPECT_EQ(one_slip_from(word, columns), "label") << word;
  for (const std::string word : {"text", "lebal", "", "label_name"})
    EXPECT_EQ(one_slip_from(word, columns), "") << word;
}

TEST(Listed, NamesTwentyAndCountsTheRest) {
  EXPECT_EQ(listed(std::vector<std::string>{"a", "b"}), "a, b");
  const std::string many = listed(std::vector<std::string>(65000, "a"));
  EXPECT_EQ(many.substr(many.size() - 21), ", a, a and 64980 more");
}

}  // namespace
}  // namespace lockstep::data
