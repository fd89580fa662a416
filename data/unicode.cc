#include "data/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "data/unicode_exceptions.h"

namespace lockstep::data {

namespace {

constexpr char32_t kCapitalIWithDot = 0x130;
constexpr char32_t kCombiningDotAbove = 0x307;

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
