#include "data/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "data/unicode_exceptions.h"

namespace lockstep::data {

namespace {

constexpr char32_t kCapitalIWithDot = 0x130;
constexpr char32_t kCombiningDotAbove = 0x307;

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

template <typename Range, size_t kCount>
const Range* find_range(const Range (&ranges)[kCount], char32_t c) {
  const Range* range =
      std::lower_bound(std::begin(ranges), std::end(ranges), c, [](const Range& r, char32_t x) { return r.last < x; });
  return range != std::end(ranges) && range->first <= c ? range : nullptr;
}

utf8proc_category_t category_of(char32_t c) {
  if (find_range(kUnknownCategory, c)) return UTF8PROC_CATEGORY_LO;
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

int combining_class(char32_t c) {
  if (c < 0x300 || find_range(kUnknownCombiningClass, c)) return 0;
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
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
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
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

bool is_removed(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c == 0 || c == kReplacement) return true;
  const auto category = category_of(c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
}

bool is_space(char32_t c) {
  if ((c >= 0x9 && c <= 0xD) || c == 0x85) return true;
  const auto category = category_of(c);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return (c > 0x20 && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7F);
  if (c == kCanadianSyllabicsChiSign || c == kSharadaSandhiMark) return true;
  const auto category = category_of(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_nonspacing_mark(char32_t c) {
  if (c == kHanunooPamudpod) return true;
  return c != kSharadaSandhiMark && category_of(c) == UTF8PROC_CATEGORY_MN;
}

bool is_chinese(char32_t c) {
  // U+2B820 to U+2B91F (most of extension E's first rows) are missing in `tokenizers` too.
  static constexpr CodePointRange kChinese[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                                {0x20000, 0x2A6DF}, {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF},
                                                {0x2F800, 0x2FA1F}};
  return find_range(kChinese, c) != nullptr;
}

void append_decomposed(char32_t c, std::u32string& out) {
  if (c < 0xC0 || c == kDivesAkuruVowelSignO) {
    out.push_back(c);
    return;
  }
  utf8proc_int32_t buffer[8];  // the longest canonical decomposition has 4 code points
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, std::size(buffer), UTF8PROC_DECOMPOSE, nullptr);
  for (utf8proc_ssize_t i = 0; i < count; ++i)
    out.push_back(static_cast<char32_t>(buffer[i]));
}

void order_canonically(std::u32string& text) {
  for (auto run = text.begin(); run != text.end();) {
    const auto end = std::find_if(run, text.end(), [](char32_t c) { return combining_class(c) == 0; });
    if (end - run > 1)
      std::stable_sort(run, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    run = end == text.end() ? end : end + 1;
  }
}

void append_lower(char32_t c, std::u32string& out) {
  if (c == kCapitalIWithDot) {
    out += {U'i', kCombiningDotAbove};
  } else if (const auto* range = find_range(kNewerLowerCase, c)) {
    out.push_back(range->lower + (c - range->first));
  } else {
    out.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

}  // namespace lockstep::data
