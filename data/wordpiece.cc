#include "data/wordpiece.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "data/piece_trie.h"
#include "data/special_tokens.h"
#include "data/word_splitter.h"

namespace lockstep::data {

namespace {

bool ends_chunk(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t count_characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Cuts the next run without white space off `text`; false at the end. Working in such chunks, a long text stops at
/// max_length.
bool next_chunk(std::string_view& text, std::string_view& chunk) {
  const auto begin = std::find_if_not(text.begin(), text.end(), ends_chunk);
  const auto end = std::find_if(begin, text.end(), ends_chunk);
  chunk = {begin, end};
  text = {end, text.end()};
  return !chunk.empty();
}

int32_t id_of(const Vocabulary& vocabulary, std::string_view token) {
  const auto tokens = vocabulary.tokens();
  return static_cast<int32_t>(std::find(tokens.begin(), tokens.end(), token) - tokens.begin());
}

/// The tokens that start with `prefix`, without it.
std::vector<PieceTrie::Piece> pieces_after(std::string_view prefix, const Vocabulary& vocabulary) {
  std::vector<PieceTrie::Piece> pieces;
  int32_t id = 0;
  for (std::string_view token : vocabulary.tokens()) {
    if (token.starts_with(prefix)) pieces.push_back({token.substr(prefix.size()), id});
    ++id;
  }
  return pieces;
}

}  // namespace

struct WordPieceTokenizer::Impl {
  struct SpecialToken {
    std::string_view text;
    int32_t id = 0;
    size_t position = 0;  // where a search found it
  };

  Impl(Vocabulary vocabulary_in, TokenizerOptions options_in);
  bool find_special(std::string_view chunk, SpecialToken& found) const;
  void append_chunk(std::string_view chunk, std::string& words, std::vector<int32_t>& ids) const;
  void append_text(std::string_view text, std::string& words, std::vector<int32_t>& ids) const;
  void append_pieces(std::string_view word, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary;
  TokenizerOptions options;
  WordSplitter splitter;
  PieceTrie word_starts;
  PieceTrie continuations;  // without their "##"
  std::array<SpecialToken, kSpecialTokens.size()> specials;
  int32_t unknown, classify, separator;
};

WordPieceTokenizer::Impl::Impl(Vocabulary vocabulary_in, TokenizerOptions options_in)
    : vocabulary(std::move(vocabulary_in)),
      options(options_in),
      splitter(options),
      word_starts(pieces_after("", vocabulary)),
      continuations(pieces_after(kContinuation, vocabulary)),
      unknown(id_of(vocabulary, kUnknown)),
      classify(id_of(vocabulary, kClassify)),
      separator(id_of(vocabulary, kSeparator)) {
  for (size_t i = 0; i < specials.size(); ++i)
    specials[i] = {kSpecialTokens[i], id_of(vocabulary, kSpecialTokens[i])};
}

bool WordPieceTokenizer::Impl::find_special(std::string_view chunk, SpecialToken& found) const {
  for (size_t bracket = chunk.find('['); bracket != std::string_view::npos; bracket = chunk.find('[', bracket + 1)) {
    for (const SpecialToken& special : specials) {
      if (!chunk.substr(bracket).starts_with(special.text)) continue;
      found = special;
      found.position = bracket;
      return true;
    }
  }
  return false;
}

void WordPieceTokenizer::Impl::append_chunk(std::string_view chunk, std::string& words,
                                            std::vector<int32_t>& ids) const {
  for (SpecialToken special; find_special(chunk, special);) {
    append_text(chunk.substr(0, special.position), words, ids);
    ids.push_back(special.id);
    chunk.remove_prefix(special.position + special.text.size());
  }
  append_text(chunk, words, ids);
}

void WordPieceTokenizer::Impl::append_text(std::string_view text, std::string& words, std::vector<int32_t>& ids) const {
  words.clear();
  splitter.append_words(text, words);
  for (std::string_view rest = words; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    append_pieces(word, ids);
    rest.remove_prefix(word.size() + 1);
  }
}

void WordPieceTokenizer::Impl::append_pieces(std::string_view word, std::vector<int32_t>& ids) const {
  const size_t first = ids.size();
  if (count_characters(word) > kMaxWordCharacters) return ids.push_back(unknown);
  const PieceTrie* pieces = &word_starts;
  while (!word.empty()) {
    const PieceTrie::Match match = pieces->longest_prefix(word);
    if (match.length == 0) {
      ids.resize(first);
      return ids.push_back(unknown);
    }
    ids.push_back(match.id);
    word.remove_prefix(match.length);
    pieces = &continuations;
  }
}

WordPieceTokenizer::WordPieceTokenizer(Vocabulary vocabulary, TokenizerOptions options)
    : impl_(std::make_unique<const Impl>(std::move(vocabulary), options)) {}

WordPieceTokenizer::~WordPieceTokenizer() = default;
WordPieceTokenizer::WordPieceTokenizer(WordPieceTokenizer&&) noexcept = default;
WordPieceTokenizer& WordPieceTokenizer::operator=(WordPieceTokenizer&&) noexcept = default;

const Vocabulary& WordPieceTokenizer::vocabulary() const {
  return impl_->vocabulary;
}
const TokenizerOptions& WordPieceTokenizer::options() const {
  return impl_->options;
}

std::vector<int32_t> WordPieceTokenizer::encode(std::string_view text, int max_length, bool* truncated) const {
  if (max_length < 2)
    throw std::invalid_argument("max_length is " + std::to_string(max_length) + "; [CLS] and [SEP] alone need 2");
  const size_t most = static_cast<size_t>(max_length) - 1;  // before [SEP]
  std::vector<int32_t> ids = {impl_->classify};
  std::string words;
  for (std::string_view chunk; ids.size() <= most && next_chunk(text, chunk);)
    impl_->append_chunk(chunk, words, ids);
  if (truncated) *truncated = ids.size() > most;
  if (ids.size() > most) ids.resize(most);
  ids.push_back(impl_->separator);
  return ids;
}

}  // namespace lockstep::data
