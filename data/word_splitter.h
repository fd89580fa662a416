#pragma once

#include <string>
#include <string_view>

#include "data/wordpiece.h"

namespace lockstep::data {

/// BERT's cleaning, lower-casing, accent stripping and splitting into words: the part before WordPiece.
class WordSplitter {
 public:
  explicit WordSplitter(TokenizerOptions options) : options_(options) {}

  /// Appends the words of `text`, each followed by one space, as UTF-8. `words` must be empty or end in a space.
  void append_words(std::string_view text, std::string& words) const;

 private:
  void append_ascii_words(std::string_view text, std::string& words) const;
  void append_unicode_words(std::string_view text, std::string& words) const;
  std::u32string cleaned(std::string_view text) const;

  TokenizerOptions options_;
};

}  // namespace lockstep::data
