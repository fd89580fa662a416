#include "launcher/cli/printable_text.h"

#include <string_view>

#include "data/utf8.h"

namespace lockstep {

namespace {

constexpr const char* kHex = "0123456789abcdef";

std::string escaped_byte(unsigned byte) {
  return std::string("\\x") + kHex[byte >> 4 & 15] + kHex[byte & 15];
}

std::string escaped(char32_t c) {
  if (c < 0x100) return escaped_byte(c);
  return std::string("\\u") + kHex[c >> 12 & 15] + kHex[c >> 8 & 15] + kHex[c >> 4 & 15] + kHex[c & 15];
}

/// What changes the direction of the text that follows, so that it reads otherwise than it is, and other line ends.
bool misleads(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

std::string printable(std::string_view text, bool keep_lines) {
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const data::Decoded next = data::decode_utf8(text, at);
    const std::string_view bytes = text.substr(at, next.length);
    at += next.length;
    if (bytes == "\n" || bytes == "\t")
      shown += keep_lines && bytes == "\n" ? '\n' : ' ';
    else if (!next.valid)
      for (const char byte : bytes)
        shown += escaped_byte(static_cast<unsigned char>(byte));
    else if (is_control(next.code_point) || misleads(next.code_point))
      shown += escaped(next.code_point);
    else
      shown += bytes;
  }
  return shown;
}

}  // namespace

std::string printable_text(const std::string& text) {
  return printable(text, false);
}

std::string printable_lines(const std::string& text) {
  return printable(text, true);
}

}  // namespace lockstep
