#include "data/word_splitter.h"

#include <algorithm>
#include <array>

#include "data/unicode.h"

namespace lockstep::data {

namespace {

enum class Kind : uint8_t { kLetter, kPunctuation, kSpace, kRemoved };

Kind kind_of(char32_t c) {
  if (is_removed(c)) return Kind::kRemoved;
  if (is_space(c)) return Kind::kSpace;
  return is_punctuation(c) ? Kind::kPunctuation : Kind::kLetter;
}

const std::array<Kind, 128> kAsciiKinds = [] {
  std::array<Kind, 128> kinds{};
  for (size_t c = 0; c < kinds.size(); ++c)
    kinds[c] = kind_of(static_cast<char32_t>(c));
  return kinds;
}();

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x80; });
}

void end_word(std::string& words) {
  if (!words.empty() && words.back() != ' ') words += ' ';
}

std::u32string without_accents(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text)
    append_decomposed(c, out);
  order_canonically(out);
  std::erase_if(out, is_nonspacing_mark);
  return out;
}

std::u32string lower(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text)
    append_lower(c, out);
  return out;
}

}  // namespace

void WordSplitter::append_words(std::string_view text, std::string& words) const {
  if (is_ascii(text))
    append_ascii_words(text, words);
  else
    append_unicode_words(text, words);
}

void WordSplitter::append_ascii_words(std::string_view text, std::string& words) const {
  for (char c : text) {
    switch (kAsciiKinds[static_cast<unsigned char>(c)]) {
      case Kind::kLetter:
        words += options_.do_lower_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
        break;
      case Kind::kPunctuation:
        end_word(words);
        words += c;
        words += ' ';
        break;
      case Kind::kSpace:
        end_word(words);
        break;
      case Kind::kRemoved:
        break;
    }
  }
  end_word(words);
}

void WordSplitter::append_unicode_words(std::string_view text, std::string& words) const {
  std::u32string normal = cleaned(text);
  if (options_.strip_accents) normal = without_accents(normal);
  if (options_.do_lower_case) normal = lower(normal);
  for (char32_t c : normal) {
    const bool stands_alone = is_punctuation(c);
    if (stands_alone || is_space(c)) end_word(words);
    if (!is_space(c)) append_utf8(c, words);
    if (stands_alone) end_word(words);
  }
  end_word(words);
}

std::u32string WordSplitter::cleaned(std::string_view text) const {
  std::u32string out;
  out.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const Decoded decoded = decode_utf8(text, position);
    position += decoded.length;
    const char32_t c = decoded.code_point;
    if (is_removed(c)) continue;
    if (is_space(c))
      out += U' ';
    else if (options_.tokenize_chinese_chars && is_chinese(c))
      out += {U' ', c, U' '};
    else
      out += c;
  }
  return out;
}

}  // namespace lockstep::data
