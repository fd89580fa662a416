#include "plain_tokenizer.h"

#include <algorithm>

#include "data/unicode.h"

namespace lockstep {

namespace {

using data::TokenizerOptions;

constexpr size_t kMaxCharacters = 100;

std::u32string decoded(std::string_view text) {
  std::u32string characters;
  for (size_t position = 0; position < text.size();) {
    const data::Decoded next = data::decode_utf8(text, position);
    characters += next.code_point;
    position += next.length;
  }
  return characters;
}

std::string utf8_of(std::u32string_view characters) {
  std::string bytes;
  for (const char32_t c : characters)
    data::append_utf8(c, bytes);
  return bytes;
}

std::u32string normalized(const std::u32string& text, const TokenizerOptions& options) {
  std::u32string clean, bare, low;
  for (const char32_t c : text) {
    if (data::is_removed(c)) continue;
    if (data::is_space(c))
      clean += U' ';
    else if (options.tokenize_chinese_chars && data::is_chinese(c))
      clean += {U' ', c, U' '};
    else
      clean += c;
  }
  if (options.strip_accents) {
    for (const char32_t c : clean)
      data::append_decomposed(c, bare);
    data::order_canonically(bare);
    std::erase_if(bare, data::is_nonspacing_mark);
  } else {
    bare = clean;
  }
  if (!options.do_lower_case) return bare;
  for (const char32_t c : bare)
    data::append_lower(c, low);
  return low;
}

std::vector<std::u32string> words_of(const std::u32string& text) {
  std::vector<std::u32string> words;
  bool in_word = false;
  for (const char32_t c : text) {
    const bool alone = data::is_punctuation(c);
    if (data::is_space(c)) {
      in_word = false;
      continue;
    }
    if (alone || !in_word) words.emplace_back();
    words.back() += c;
    in_word = !alone;
  }
  return words;
}

}  // namespace

PlainTokenizer::PlainTokenizer(const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens) {
    ids_.emplace(token, static_cast<int32_t>(ids_.size()));
    longest_ = std::max(longest_, token.size());
  }
}

std::vector<int32_t> PlainTokenizer::encode(std::string_view text, const TokenizerOptions& options,
                                            int max_length) const {
  std::vector<int32_t> ids = {ids_.at("[CLS]")};
  for (size_t at = 0; at < text.size();) {
    size_t special_at = std::string_view::npos;
    std::string_view special;
    for (const std::string_view token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
      if (const size_t found = text.find(token, at); found < special_at) special_at = found, special = token;
    append_words(text.substr(at, special_at - at), options, ids);
    if (special.empty()) break;
    ids.push_back(ids_.find(special)->second);
    at = special_at + special.size();
  }
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_length) - 1));
  ids.push_back(ids_.at("[SEP]"));
  return ids;
}

void PlainTokenizer::append_words(std::string_view text, const TokenizerOptions& options,
                                  std::vector<int32_t>& ids) const {
  for (const std::u32string& word : words_of(normalized(decoded(text), options)))
    append_pieces(word, ids);
}

/// The longest piece first, as often as needed.
void PlainTokenizer::append_pieces(const std::u32string& word, std::vector<int32_t>& ids) const {
  std::vector<int32_t> pieces;
  for (size_t begin = 0; begin < word.size() && word.size() <= kMaxCharacters;) {
    size_t end = std::min(word.size(), begin + longest_);
    auto found = ids_.end();
    for (; end > begin && found == ids_.end(); --end)
      found = ids_.find((begin > 0 ? "##" : "") + utf8_of(word.substr(begin, end - begin)));
    if (found == ids_.end()) {
      pieces.clear();
      break;
    }
    pieces.push_back(found->second);
    begin = end + 1;
  }
  if (pieces.empty()) pieces = {ids_.at("[UNK]")};
  ids.insert(ids.end(), pieces.begin(), pieces.end());
}

}  // namespace lockstep
