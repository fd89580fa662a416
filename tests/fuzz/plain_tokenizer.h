#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/wordpiece.h"

namespace lockstep {

/// BERT's WordPiece as its description reads, one step after the other over the whole text, with nothing that makes it
/// fast: what the program's tokenizer is compared with. Character classes are the program's (data/unicode.h), which
/// tests/parity compares with Hugging Face's.
class PlainTokenizer {
 public:
  explicit PlainTokenizer(const std::vector<std::string>& tokens);
  std::vector<int32_t> encode(std::string_view text, const data::TokenizerOptions& options, int max_length) const;

 private:
  void append_words(std::string_view text, const data::TokenizerOptions& options, std::vector<int32_t>& ids) const;
  void append_pieces(const std::u32string& word, std::vector<int32_t>& ids) const;

  std::map<std::string, int32_t, std::less<>> ids_;
  size_t longest_ = 0;  // of the tokens, in bytes
};

}  // namespace lockstep
