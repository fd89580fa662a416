#include "data/unicode.h"

#include <gtest/gtest.h>

namespace lockstep::data {
namespace {

std::string replaced(std::string_view bytes, int64_t expected_replacements) {
  int64_t replacements = -1;
  std::string text = to_valid_utf8(bytes, &replacements);
  EXPECT_EQ(replacements, expected_replacements);
  return text;
}

// The first four are the Unicode Standard's own examples (section 3.9, tables 3-8 to 3-11).
TEST(Utf8, EachOverlongByteIsReplaced) {
  EXPECT_EQ(replaced("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 8), "��������A");
}

TEST(Utf8, EachByteOfASurrogateIsReplaced) {
  EXPECT_EQ(replaced("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 8), "��������A");
}

TEST(Utf8, EachByteBeyondTheLastCodePointIsReplaced) {
  EXPECT_EQ(replaced("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 7), "�����A��B");
}

TEST(Utf8, TruncatedSequenceIsReplacedOnce) {
  EXPECT_EQ(replaced("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 4), "����A");
}

TEST(Utf8, SequenceCutByTheEndIsReplacedOnce) {
  EXPECT_EQ(replaced("a\xF0\x9F\x98", 1), "a�");
}

TEST(Utf8, ValidTextIsUnchanged) {
  EXPECT_EQ(replaced("z\u00e9\u4e2d\U0001F600�", 0), "z\u00e9\u4e2d\U0001F600�");
}

TEST(Utf8, EveryScalarValueSurvivesEncodingAndDecoding) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(c, text);
    const Decoded decoded = decode_utf8(text, 0);
    ASSERT_TRUE(decoded.valid && decoded.code_point == c && decoded.length == text.size())
        << "code point " << uint32_t{c};
  }
}

TEST(UnicodeClasses, TabAndNewlinesAreSpaceAndOtherControlsAreRemoved) {
  for (char32_t c : U"\t\n\r\u00a0\u2003\u2028\u3000")
    EXPECT_TRUE(c == 0 || (is_space(c) && !is_removed(c)));
  for (uint32_t c : {0, 1, 0x7F, 0x85, 0xAD, 0x200B, 0x200D, 0xFEFF, 0xE000, 0xFFFD})
    EXPECT_TRUE(is_removed(c)) << c;
}

TEST(UnicodeClasses, AsciiSymbolsArePunctuationButOtherSymbolsAreNot) {
  for (uint32_t c : {U'$', U'+', U'<', U'=', U'>', U'^', U'`', U'|', U'~'})
    EXPECT_TRUE(is_punctuation(c)) << c;
  for (uint32_t c : {0x20AC, 0xD7, 0x2211, 0x1F600})
    EXPECT_FALSE(is_punctuation(c)) << c;
  for (uint32_t c : {0xBF, 0x2014, 0x201C, 0x3002})
    EXPECT_TRUE(is_punctuation(c)) << c;
}

TEST(CanonicalOrder, MarksAreSortedByClassAndOfOneClassKeepTheirOrder) {
  std::u32string text = U"a\u0301\u0300\u0327b\u0301";  // classes 230, 230, 202
  order_canonically(text);
  EXPECT_EQ(text, U"a\u0327\u0301\u0300b\u0301");
}

TEST(CanonicalDecomposition, HangulAndDoubleAccentsAreTakenApart) {
  std::u32string text;
  append_decomposed(U'\uAC01', text);
  append_decomposed(U'\u1EC7', text);
  EXPECT_EQ(text, U"\u1100\u1161\u11A8e\u0323\u0302");
}

TEST(LowerCase, DottedCapitalIBecomesTwoAndSigmaHasNoContext) {
  std::u32string text;
  for (char32_t c : {U'\u0130', U'\u03A3', U'\u1E9E', U'z'})
    append_lower(c, text);
  EXPECT_EQ(text, U"i\u0307\u03C3\u00DFz");
}

}  // namespace
}  // namespace lockstep::data
