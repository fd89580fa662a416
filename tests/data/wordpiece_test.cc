#include "data/wordpiece.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "data/error.h"

namespace lockstep::data {
namespace {

using Ids = std::vector<int32_t>;

enum : int32_t { PAD, UNK, CLS, SEP, MASK, A, XA, UN, XAFF, XABLE, XAF, CAFE, CAFE_ACUTE, COMMA, BIG, ZHONG, XZHONG };

std::vector<std::string> small_tokens() {
  return {"[PAD]",  "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",   "##a", "un",  "##aff",
          "##able", "##af",  "cafe",  "café",  ",",      "Big", "中",  "##中"};
}

Ids encode(std::string_view text, TokenizerOptions options = {}) {
  return WordPieceTokenizer(Vocabulary(small_tokens()), options).encode(text, 512);
}

TEST(WordPiece, LongestPieceWins) {
  EXPECT_EQ(encode("unaffable"), (Ids{CLS, UN, XAFF, XABLE, SEP}));
}

TEST(WordPiece, LongestPieceWinsEvenIfTheRestThenHasNone) {
  EXPECT_EQ(encode("unaffa unafz"), (Ids{CLS, UN, XAFF, XA, UNK, SEP}));
}

TEST(WordPiece, EmptyTextHasOnlyTheFrame) {
  EXPECT_EQ(encode(""), (Ids{CLS, SEP}));
  EXPECT_EQ(encode(" \n\t\u00a0\u200b"), (Ids{CLS, SEP}));
}

TEST(WordPiece, PunctuationStandsAlone) {
  EXPECT_EQ(encode("a,a ,"), (Ids{CLS, A, COMMA, A, COMMA, SEP}));
}

TEST(WordPiece, WordOfHundredCharactersIsSplitAndOneMoreIsUnknown) {
  Ids hundred(100, XA);
  hundred.front() = A;
  hundred.insert(hundred.begin(), CLS);
  hundred.push_back(SEP);
  EXPECT_EQ(encode(std::string(100, 'a')), hundred);
  EXPECT_EQ(encode(std::string(101, 'a')), (Ids{CLS, UNK, SEP}));
}

TEST(WordPiece, OptionsDecideOnCaseAccentsAndIdeographs) {
  EXPECT_EQ(encode("CAFÉ", {true, true, true}), (Ids{CLS, CAFE, SEP}));
  EXPECT_EQ(encode("CAFÉ", {true, false, true}), (Ids{CLS, CAFE_ACUTE, SEP}));
  EXPECT_EQ(encode("Big café", {false, false, true}), (Ids{CLS, BIG, CAFE_ACUTE, SEP}));
  EXPECT_EQ(encode("a中", {true, true, true}), (Ids{CLS, A, ZHONG, SEP}));
  EXPECT_EQ(encode("a中", {true, true, false}), (Ids{CLS, A, XZHONG, SEP}));
}

TEST(WordPiece, SpecialTokensInTheTextAreThemselvesIfWrittenExactly) {
  EXPECT_EQ(encode("a[SEP]a [MASK],"), (Ids{CLS, A, SEP, A, MASK, COMMA, SEP}));
  EXPECT_EQ(encode("[mask]"), (Ids{CLS, UNK, UNK, UNK, SEP}));
}

TEST(WordPiece, InvalidBytesCountAsReplacementsWhichCleaningRemoves) {
  EXPECT_EQ(encode("u\xFFn\xE2\x82"), (Ids{CLS, UN, SEP}));
}

TEST(WordPiece, TruncationKeepsTheSeparatorAndIsReported) {
  const WordPieceTokenizer tokenizer(Vocabulary(small_tokens()), {});
  bool truncated = true;
  EXPECT_EQ(tokenizer.encode("unaffable", 5, &truncated), (Ids{CLS, UN, XAFF, XABLE, SEP}));
  EXPECT_FALSE(truncated);
  EXPECT_EQ(tokenizer.encode("unaffable", 4, &truncated), (Ids{CLS, UN, XAFF, SEP}));
  EXPECT_TRUE(truncated);
  EXPECT_EQ(tokenizer.encode("unaffable", 2, &truncated), (Ids{CLS, SEP}));
  EXPECT_TRUE(truncated);
  EXPECT_THROW(tokenizer.encode("a", 1), std::invalid_argument);
}

TEST(WordPiece, ThreadsShareOneTokenizer) {
  const WordPieceTokenizer tokenizer(Vocabulary(small_tokens()), {});
  std::vector<Ids> results(4);
  std::vector<std::jthread> threads;
  for (Ids& result : results)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i)
        result = tokenizer.encode("Unaffable CAFÉ, 中 a", 512);
    });
  threads.clear();
  for (const Ids& result : results)
    EXPECT_EQ(result, (Ids{CLS, UN, XAFF, XABLE, CAFE, COMMA, ZHONG, A, SEP}));
}

class VocabularyFile : public testing::Test {
 protected:
  void SetUp() override { path_ = testing::TempDir() + "vocab." + std::to_string(::getpid()) + ".txt"; }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path with(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }

  template <typename Error>
  std::string error_of(const std::string& bytes) {
    try {
      Vocabulary::load(with(bytes));
    } catch (const Error& error) {
      return error.what();
    }
    return "no such error";
  }

  std::string path_;
};

constexpr char kSpecialLines[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

TEST_F(VocabularyFile, LineNumberIsTheIdAndTheLastLineNeedsNoEnd) {
  const auto vocabulary = Vocabulary::load(with(std::string(kSpecialLines) + "a\n##b"));
  EXPECT_EQ(vocabulary.size(), 7u);
  EXPECT_EQ(vocabulary.token(6), "##b");
}

TEST_F(VocabularyFile, HashDoesNotDependOnLineEndings) {
  const auto unix_lines = Vocabulary::load(with("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"));
  const auto windows_lines = Vocabulary::load(with("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\n"));
  EXPECT_EQ(unix_lines.sha256(), windows_lines.sha256());
  EXPECT_NE(unix_lines.sha256(), Vocabulary(small_tokens()).sha256());
}

TEST_F(VocabularyFile, RepeatedTokenIsRefusedWithItsLine) {
  const std::string error = error_of<DataError>(std::string(kSpecialLines) + "a\nb\na\n");
  EXPECT_NE(error.find(path_), std::string::npos) << error;
  EXPECT_NE(error.find("\"a\" appears twice, again in line 8"), std::string::npos) << error;
}

TEST_F(VocabularyFile, InvalidUtf8IsRefusedWithItsLine) {
  EXPECT_NE(error_of<DataError>(std::string(kSpecialLines) + "\xff\n").find("line 6 is not UTF-8"), std::string::npos);
}

TEST_F(VocabularyFile, MissingSpecialTokenIsRefusedByName) {
  const std::string error = error_of<ContractError>("[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
  EXPECT_NE(error.find(path_), std::string::npos) << error;
  EXPECT_NE(error.find("[MASK] is missing"), std::string::npos) << error;
}

TEST_F(VocabularyFile, MissingFileAndFolderAreDataErrors) {
  EXPECT_THROW(Vocabulary::load(path_ + ".none"), DataError);
  EXPECT_THROW(Vocabulary::load(testing::TempDir()), DataError);
}

}  // namespace
}  // namespace lockstep::data
