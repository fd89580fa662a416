#include "data/wordpiece.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "data/error.h"

namespace lockstep::data {
namespace {

using Ids = std::vector<int32_t>;

enum : int32_t {
  kPad,
  kUnk,
  kCls,
  kSep,
  kMask,
  kA,
  kInA,
  kUn,
  kInAff,
  kInAble,
  kInAf,
  kCafe,
  kCafeAcute,
  kComma,
  kBig,
  kZhong,
  kInZhong
};

std::vector<std::string> small_tokens() {
  return {"[PAD]",  "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",   "##a", "un",  "##aff",
          "##able", "##af",  "cafe",  "café",  ",",      "Big", "中",  "##中"};
}

Ids encode(std::string_view text, TokenizerOptions options = {}) {
  return WordPieceTokenizer(Vocabulary(small_tokens()), options).encode(text, 512);
}

TEST(WordPiece, LongestPieceWins) {
  EXPECT_EQ(encode("unaffable"), (Ids{kCls, kUn, kInAff, kInAble, kSep}));
}

TEST(WordPiece, LongestPieceWinsEvenIfTheRestThenHasNone) {
  EXPECT_EQ(encode("unaffa unafz"), (Ids{kCls, kUn, kInAff, kInA, kUnk, kSep}));
}

TEST(WordPiece, EmptyTextHasOnlyTheFrame) {
  EXPECT_EQ(encode(""), (Ids{kCls, kSep}));
  EXPECT_EQ(encode(" \n\t\u00a0\u200b"), (Ids{kCls, kSep}));
}

TEST(WordPiece, PunctuationStandsAlone) {
  EXPECT_EQ(encode("a,a ,"), (Ids{kCls, kA, kComma, kA, kComma, kSep}));
}

TEST(WordPiece, WordOfHundredCharactersIsSplitAndOneMoreIsUnknown) {
  Ids hundred(100, kInA);
  hundred.front() = kA;
  hundred.insert(hundred.begin(), kCls);
  hundred.push_back(kSep);
  EXPECT_EQ(encode(std::string(100, 'a')), hundred);
  EXPECT_EQ(encode(std::string(101, 'a')), (Ids{kCls, kUnk, kSep}));
}

TEST(WordPiece, OptionsDecideOnCaseAccentsAndIdeographs) {
  EXPECT_EQ(encode("CAFÉ", {true, true, true}), (Ids{kCls, kCafe, kSep}));
  EXPECT_EQ(encode("CAFÉ", {true, false, true}), (Ids{kCls, kCafeAcute, kSep}));
  EXPECT_EQ(encode("Big café", {false, false, true}), (Ids{kCls, kBig, kCafeAcute, kSep}));
  EXPECT_EQ(encode("a中", {true, true, true}), (Ids{kCls, kA, kZhong, kSep}));
  EXPECT_EQ(encode("a中", {true, true, false}), (Ids{kCls, kA, kInZhong, kSep}));
}

TEST(WordPiece, SpecialTokensInTheTextAreThemselvesIfWrittenExactly) {
  EXPECT_EQ(encode("a[SEP]a [MASK],"), (Ids{kCls, kA, kSep, kA, kMask, kComma, kSep}));
  EXPECT_EQ(encode("[mask]"), (Ids{kCls, kUnk, kUnk, kUnk, kSep}));
}

TEST(WordPiece, InvalidBytesCountAsReplacementsWhichCleaningRemoves) {
  EXPECT_EQ(encode("u\xFFn\xE2\x82"), (Ids{kCls, kUn, kSep}));
}

TEST(WordPiece, TruncationKeepsTheSeparatorAndIsReported) {
  const WordPieceTokenizer tokenizer(Vocabulary(small_tokens()), {});
  bool truncated = true;
  EXPECT_EQ(tokenizer.encode("unaffable", 5, &truncated), (Ids{kCls, kUn, kInAff, kInAble, kSep}));
  EXPECT_FALSE(truncated);
  EXPECT_EQ(tokenizer.encode("unaffable", 4, &truncated), (Ids{kCls, kUn, kInAff, kSep}));
  EXPECT_TRUE(truncated);
  EXPECT_EQ(tokenizer.encode("unaffable", 2, &truncated), (Ids{kCls, kSep}));
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
    EXPECT_EQ(result, (Ids{kCls, kUn, kInAff, kInAble, kCafe, kComma, kZhong, kA, kSep}));
}

std::string repeated(std::string_view part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i)
    text += part;
  return text;
}

/// Where time grows by a text's square, one of these takes minutes; all of them take about a second.
TEST(WordPiece, TextsThatAreMadeToTakeLongDoNot) {
  const WordPieceTokenizer tokenizer(Vocabulary(small_tokens()), {});
  constexpr size_t kMany = 1'000'000;
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& text : {std::string(kMany, 'a'), std::string(kMany, '['), repeated("[SEP]", kMany / 5),
                                  repeated("中", kMany / 3), "a" + repeated("\u0301\u0316", kMany / 2)})
    EXPECT_LE(tokenizer.encode(text, 512).size(), 512u);
  const std::string review = repeated("Unaffable, ", kMany / 11);
  EXPECT_EQ(tokenizer.encode(review, 512).size(), 512u);
  EXPECT_EQ(tokenizer.encode(review, kMany).size(), 4 * (kMany / 11) + 2);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
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

TEST_F(VocabularyFile, TokenLongerThanAnyWordIsRefusedWithItsLine) {
  const std::string error = error_of<DataError>(kSpecialLines + std::string(1 << 20, 'x') + "\n");
  EXPECT_NE(error.find("line 6 has 1048576 bytes; a token has at most 402"), std::string::npos) << error;
}

TEST_F(VocabularyFile, MoreTokensThanAnyVocabularyHasAreRefused) {
  std::string lines = kSpecialLines;
  for (int i = 0; i < 1 << 20; ++i)
    lines += std::to_string(i) + "\n";
  EXPECT_NE(error_of<DataError>(lines).find("more than the 1048576"), std::string::npos);
}

TEST_F(VocabularyFile, MissingFileAndFolderAreDataErrors) {
  EXPECT_THROW(Vocabulary::load(path_ + ".none"), DataError);
  EXPECT_THROW(Vocabulary::load(testing::TempDir()), DataError);
}

}  // namespace
}  // namespace lockstep::data
