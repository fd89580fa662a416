#pragma once

#include <string>

#include "data/utf8.h"

namespace lockstep::data {

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
