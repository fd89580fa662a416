#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/tokenizer_files.h"
#include "data/wordpiece.h"

namespace lockstep::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A sound folder, as the program writes it, for each test to spoil.
class TokenizerFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("tokenizer_folder." + std::to_string(::getpid()));
    fs::create_directories(folder_);
    const Vocabulary vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b\"\\é", "##c"});
    write_tokenizer_files(WordPieceTokenizer(vocabulary, {}), 512, folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void set(const char* file, const std::string& pointer, const json& value) {
    const fs::path path = folder_ / file;
    json content = fs::exists(path) ? json::parse(read_file(path)) : json::object();
    content[json::json_pointer(pointer)] = value;
    write_file_atomically(path, content.dump());
  }

  void keep_only(const char* file) {
    for (const auto& entry : std::vector<fs::path>(fs::directory_iterator(folder_), {}))
      if (entry.filename() != file) fs::remove(entry);
  }

  WordPieceTokenizer open() const { return WordPieceTokenizer::from_folder(folder_); }

  /// What opening the folder says is wrong.
  std::string refusal() const {
    try {
      open();
    } catch (const ContractError& error) {
      return error.what();
    }
    return "not refused";
  }

  fs::path folder_;
};

TEST_F(TokenizerFolderTest, WrittenFolderIsReadBackForAllOptions) {
  for (int bits = 0; bits < 8; ++bits) {
    const TokenizerOptions options{(bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0};
    const Vocabulary vocabulary = open().vocabulary();
    write_tokenizer_files(WordPieceTokenizer(vocabulary, options), 128, folder_);
    EXPECT_EQ(open().options(), options);
    EXPECT_EQ(open().vocabulary().sha256(), vocabulary.sha256());
  }
}

TEST_F(TokenizerFolderTest, VocabTxtAloneMeansTheUncasedDefaults) {
  keep_only("vocab.txt");
  EXPECT_EQ(open().options(), TokenizerOptions{});
}

TEST_F(TokenizerFolderTest, TokenizerJsonAloneHoldsTheVocabularyToo) {
  const std::string hash = open().vocabulary().sha256();
  keep_only("tokenizer.json");
  EXPECT_EQ(open().vocabulary().sha256(), hash);
}

TEST_F(TokenizerFolderTest, FolderWithNeitherIsADataError) {
  keep_only("tokenizer_config.json");
  EXPECT_THROW(open(), DataError);
}

TEST_F(TokenizerFolderTest, DamagedJsonIsADataError) {
  write_file_atomically(folder_ / "tokenizer.json", "{\"version\": ");
  EXPECT_THROW(open(), DataError);
}

TEST_F(TokenizerFolderTest, StoredTruncationAndPaddingAreIgnored) {
  set("tokenizer.json", "/truncation", {{"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}});
  set("tokenizer.json", "/padding", {{"strategy", {{"Fixed", 9}}}, {"pad_id", 0}});
  EXPECT_EQ(open().encode("a a a", 512), (std::vector<int32_t>{2, 5, 5, 5, 3}));
}

TEST_F(TokenizerFolderTest, NullAccentsFollowTheCase) {
  for (bool lower : {true, false}) {
    set("tokenizer.json", "/normalizer/lowercase", lower);
    set("tokenizer.json", "/normalizer/strip_accents", nullptr);
    set("tokenizer_config.json", "/do_lower_case", lower);
    set("tokenizer_config.json", "/strip_accents", nullptr);
    EXPECT_EQ(open().options().strip_accents, lower);
  }
}

TEST_F(TokenizerFolderTest, GenericClassTakesItsOptionsFromTokenizerJson) {
  set("tokenizer.json", "/normalizer/lowercase", false);
  set("tokenizer.json", "/normalizer/strip_accents", nullptr);
  write_file_atomically(folder_ / "tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  EXPECT_EQ(open().options(), (TokenizerOptions{false, false, true}));
}

TEST_F(TokenizerFolderTest, BertsClassWithDefaultsMustAgreeWithTokenizerJson) {
  set("tokenizer.json", "/normalizer/lowercase", false);
  fs::remove(folder_ / "tokenizer_config.json");
  EXPECT_NE(refusal().find("do_lower_case in tokenizer_config.json is true"), std::string::npos) << refusal();
}

TEST_F(TokenizerFolderTest, VocabulariesThatDifferAreRefused) {
  std::ofstream(folder_ / "vocab.txt", std::ios::app) << "more\n";
  EXPECT_NE(refusal().find("different vocabularies"), std::string::npos) << refusal();
}

TEST_F(TokenizerFolderTest, IdsOutOfOrderAreRefused) {
  set("tokenizer.json", "/model/vocab/a", 3);
  EXPECT_NE(refusal().find("each once"), std::string::npos) << refusal();
}

TEST_F(TokenizerFolderTest, AVocabularyWithoutASpecialTokenIsRefusedByFileAndKey) {
  keep_only("tokenizer.json");
  set("tokenizer.json", "/model/vocab", {{"[PAD]", 0}, {"[UN]K", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"[MASK]", 4}});
  EXPECT_TRUE(refusal().starts_with((folder_ / "tokenizer.json: model.vocab: the token [UNK] is missing").string()))
      << refusal();
}

TEST_F(TokenizerFolderTest, JsonThatReadersUnderstandDifferentlyIsDamage) {
  for (const std::string& content : {std::string(R"({"do_lower_case": true, "do_lower_case": false})"),
                                     "{\"x\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}"}) {
    write_file_atomically(folder_ / "tokenizer_config.json", content);
    EXPECT_THROW(open(), DataError);
  }
}

TEST_F(TokenizerFolderTest, WhatIsNotSupportedIsRefusedByFileAndKey) {
  struct Case {
    const char* file;
    const char* pointer;
    json value;
  };
  const json sentinel = {{"id", 8}, {"content", "<x>"}, {"special", true}};
  const json normalized_mask = {{"id", 4}, {"content", "[MASK]"}, {"normalized", true}};
  const json wrong_id = {{"id", 3}, {"content", "[MASK]"}};
  const Case cases[] = {
      {"tokenizer.json", "/normalizer/type", "NFC"},
      {"tokenizer.json", "/normalizer/clean_text", false},
      {"tokenizer.json", "/normalizer/lowercase", "yes"},
      {"tokenizer.json", "/normalizer/strip_accents", false},
      {"tokenizer.json", "/normalizer/handle_chinese_chars", false},
      {"tokenizer.json", "/pre_tokenizer/type", "ByteLevel"},
      {"tokenizer.json", "/post_processor/type", "RobertaProcessing"},
      {"tokenizer.json", "/post_processor/single/0/SpecialToken/id", "[SEP]"},
      {"tokenizer.json", "/model/type", "BPE"},
      {"tokenizer.json", "/model/unk_token", "<unk>"},
      {"tokenizer.json", "/model/continuing_subword_prefix", "@@"},
      {"tokenizer.json", "/model/max_input_chars_per_word", 200},
      {"tokenizer.json", "/added_tokens/5", sentinel},
      {"tokenizer.json", "/added_tokens/4", normalized_mask},
      {"tokenizer.json", "/added_tokens/4", wrong_id},
      {"tokenizer.json", "/added_tokens", "[SEP]"},
      {"tokenizer.json", "/added_tokens", {{"a", 1}}},
      {"tokenizer_config.json", "/added_tokens_decoder", {{"8", sentinel}}},
      {"tokenizer_config.json", "/added_tokens_decoder", {{"~/8", sentinel}}},
      {"tokenizer_config.json", "/unk_token", "<unk>"},
      {"tokenizer_config.json", "/mask_token", {{"content", "<mask>"}}},
      {"tokenizer_config.json", "/bos_token", "<s>"},
      {"tokenizer_config.json", "/additional_special_tokens", {"<x>"}},
      {"tokenizer_config.json", "/never_split", {"hello"}},
      {"tokenizer_config.json", "/do_basic_tokenize", false},
      {"tokenizer_config.json", "/truncation_side", "left"},
      {"tokenizer_config.json", "/do_lower_case", "true"},
      {"tokenizer_config.json", "/tokenizer_class", "RobertaTokenizer"},
      {"special_tokens_map.json", "/cls_token", "<s>"},
      {"added_tokens.json", "/<x>", 8},
  };
  for (const Case& one : cases) {
    SetUp();
    set(one.file, one.pointer, one.value);
    const std::string said = refusal();
    EXPECT_NE(said.find((folder_ / one.file).string() + ": " + (one.pointer + 1)), std::string::npos)
        << one.file << one.pointer << " gave: " << said;
    TearDown();
  }
}

}  // namespace
}  // namespace lockstep::data
