#include "data/utf8.h"

namespace lockstep::data {

namespace {

uint8_t byte_at(std::string_view text, size_t position) {
  return static_cast<uint8_t>(text[position]);
}

/// How a sequence goes on after its first byte: its length and the second byte's range (Unicode, table 3-7).
struct Lead {
  size_t length;  // 0: no sequence starts with this byte
  uint8_t second_low = 0x80;
  uint8_t second_high = 0xBF;
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

}  // namespace

Decoded decode_utf8(std::string_view text, size_t position) {
  const uint8_t first = byte_at(text, position);
  const Lead lead = lead_of(first);
  if (lead.length <= 1) return {lead.length == 1 ? char32_t{first} : kReplacement, 1, lead.length == 1};
  char32_t code_point = first & (0xFFu >> (lead.length + 1));
  for (size_t i = 1; i < lead.length; ++i) {
    const uint8_t low = i == 1 ? lead.second_low : 0x80;
    const uint8_t high = i == 1 ? lead.second_high : 0xBF;
    if (position + i >= text.size()) return {kReplacement, i, false};
    const uint8_t next = byte_at(text, position + i);
    if (next < low || next > high) return {kReplacement, i, false};
    code_point = code_point << 6 | (next & 0x3Fu);
  }
  return {code_point, lead.length, true};
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto continued = [&](int shift) { out += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | code_point >> 6);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | code_point >> 12);
    continued(6);
  } else {
    out += static_cast<char>(0xF0 | code_point >> 18);
    continued(12);
    continued(6);
  }
  if (code_point >= 0x80) continued(0);
}

std::string to_valid_utf8(std::string_view bytes, int64_t* replacements) {
  std::string out;
  out.reserve(bytes.size());
  int64_t replaced = 0;
  for (size_t position = 0; position < bytes.size();) {
    const Decoded decoded = decode_utf8(bytes, position);
    if (decoded.valid) {
      out.append(bytes.substr(position, decoded.length));
    } else {
      append_utf8(kReplacement, out);
      ++replaced;
    }
    position += decoded.length;
  }
  if (replacements) *replacements = replaced;
  return out;
}

}  // namespace lockstep::data
