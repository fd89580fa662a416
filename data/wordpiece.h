#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::data {

/// How text becomes words before WordPiece. Part of a data set's identity.
struct TokenizerOptions {
  bool do_lower_case = true;
  bool strip_accents = true;  // Hugging Face: null means "as do_lower_case"
  bool tokenize_chinese_chars = true;
  bool operator==(const TokenizerOptions&) const = default;
};

/// One token per line; the line number is the id.
class Vocabulary {
 public:
  /// Throws DataError if the file cannot be read, is not UTF-8, a token appears twice, or there are too many or too
  /// long ones; ContractError if [PAD], [UNK], [CLS], [SEP] or [MASK] is missing.
  static Vocabulary load(const std::filesystem::path& vocab_txt);
  /// The same of the file's bytes; `where` leads the errors.
  static Vocabulary parse(std::string_view vocab_txt, const std::string& where);
  /// The same of tokens by id.
  static Vocabulary of_tokens(std::vector<std::string> tokens, const std::string& where);
  explicit Vocabulary(std::vector<std::string> tokens);

  size_t size() const { return tokens_.size(); }
  const std::string& token(int32_t id) const { return tokens_.at(static_cast<size_t>(id)); }
  std::span<const std::string> tokens() const { return tokens_; }
  /// sha256 (hex) over the tokens, each followed by '\n': the same for any line ending of the file.
  const std::string& sha256() const { return sha256_; }

 private:
  std::vector<std::string> tokens_;
  std::string sha256_;
};

/// BERT's WordPiece, with ids identical to Hugging Face's `BertTokenizerFast`/`DistilBertTokenizerFast`.
/// Immutable after construction; encode() may be called from any number of threads.
class WordPieceTokenizer {
 public:
  WordPieceTokenizer(Vocabulary vocabulary, TokenizerOptions options);
  /// vocab.txt, tokenizer_config.json and tokenizer.json of a Hugging Face folder (only vocab.txt is required).
  /// Throws ContractError for options that are not supported, naming the file and the key.
  static WordPieceTokenizer from_folder(const std::filesystem::path& folder);
  ~WordPieceTokenizer();
  WordPieceTokenizer(WordPieceTokenizer&&) noexcept;
  WordPieceTokenizer& operator=(WordPieceTokenizer&&) noexcept;

  /// [CLS] pieces [SEP], at most `max_length` ids (>= 2) in all; longer texts lose their end, never the [SEP].
  /// `text` is UTF-8; invalid bytes count as U+FFFD. Special tokens written in the text ("[SEP]") become those
  /// tokens, as in Hugging Face's tokenizer. `truncated`, if given, is told whether pieces were dropped.
  std::vector<int32_t> encode(std::string_view text, int max_length, bool* truncated = nullptr) const;

  const Vocabulary& vocabulary() const;
  const TokenizerOptions& options() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// Content by name of vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, with which
/// AutoTokenizer.from_pretrained gives a DistilBERT tokenizer with the same ids, without stored padding or
/// truncation and with model_max_length = `max_length`.
std::map<std::string, std::string> tokenizer_files(const WordPieceTokenizer& tokenizer, int max_length);
/// Writes them into `folder`.
void write_tokenizer_files(const WordPieceTokenizer& tokenizer, int max_length, const std::filesystem::path& folder);

}  // namespace lockstep::data
