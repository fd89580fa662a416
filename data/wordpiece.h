#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "data/vocabulary.h"

namespace lockstep::data {

/// How text becomes words before WordPiece. Part of a data set's identity.
struct TokenizerOptions {
  bool do_lower_case = true;
  bool strip_accents = true;  // Hugging Face: null means "as do_lower_case"
  bool tokenize_chinese_chars = true;
  bool operator==(const TokenizerOptions&) const = default;
};

/// BERT's WordPiece, with ids identical to Hugging Face's `BertTokenizerFast`/`DistilBertTokenizerFast`.
/// Immutable after construction; encode() may be called from any number of threads.
class WordPieceTokenizer {
 public:
  WordPieceTokenizer(Vocabulary vocabulary, TokenizerOptions options);
  /// vocab.txt, tokenizer_config.json and tokenizer.json of a Hugging Face folder (vocab.txt or tokenizer.json is
  /// required). Throws ContractError for options that are not supported, naming the file and the key.
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

}  // namespace lockstep::data
