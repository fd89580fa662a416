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

}  // namespace lockstep::data
