#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::data {

inline constexpr char32_t kReplacement = 0xFFFD;

/// One step of decoding. `length` bytes of the text (1 to 4) became `code_point`; if they were not valid UTF-8 they are
/// one maximal bad subpart, as Python's bytes.decode(errors="replace") cuts them, and `code_point` is U+FFFD.
struct Decoded {
  char32_t code_point;
  size_t length;
  bool valid;
};

/// Decodes what starts at text[position]; position < text.size().
Decoded decode_utf8(std::string_view text, size_t position);

/// `code_point` must be a Unicode scalar value (no surrogate).
void append_utf8(char32_t code_point, std::string& out);

/// The text with each bad subpart replaced by U+FFFD, byte for byte what Python's "replace" gives. `replacements`, if
/// given, is told how many there were.
std::string to_valid_utf8(std::string_view bytes, int64_t* replacements = nullptr);

// Character classes and mappings as the Rust crates inside Hugging Face's `tokenizers` 0.23 see them, for every code
// point. Their tables are of several Unicode versions; utf8proc's answer is corrected where it differs
// (unicode_exceptions.h).

/// What BERT's cleaning removes: NUL, U+FFFD, controls other than tab, newline and return, format and private-use
/// characters.
bool is_removed(char32_t c);
bool is_space(char32_t c);
/// Unicode's punctuation, and all ASCII characters that are neither letter, digit, space nor control.
bool is_punctuation(char32_t c);
bool is_nonspacing_mark(char32_t c);
/// The CJK ideographs that BERT makes words of their own.
bool is_chinese(char32_t c);

/// Appends the full canonical decomposition of `c`, in canonical order within itself.
void append_decomposed(char32_t c, std::u32string& out);
/// Sorts each run of combining characters by combining class: with append_decomposed, Unicode's NFD.
void order_canonically(std::u32string& text);
/// Appends the lower case of `c`, without context: Σ is always σ, İ becomes i and a combining dot.
void append_lower(char32_t c, std::u32string& out);

}  // namespace lockstep::data
