#pragma once

namespace lockstep::data {

// Where the Unicode tables inside Hugging Face's `tokenizers` 0.23 differ from utf8proc 2.8 (Unicode 15). The crates
// hold: categories of about Unicode 8, canonical decompositions and combining classes of Unicode 9, lower case of
// Unicode 17. tests/data/tokenizer_parity_test.cc compares every code point with the real package, so a newer utf8proc
// or `tokenizers` that moves a boundary is found there.

struct CodePointRange {
  char32_t first;
  char32_t last;
};

/// Marks, punctuation and format characters that the crates' categories do not know: they count as letters. Ranges also
/// span neighbours that are letters or unassigned in Unicode 15.
inline constexpr CodePointRange kUnknownCategory[] = {
    {0x61D, 0x61D},     {0x7FD, 0x7FD},     {0x890, 0x8E2},     {0x9FD, 0x9FE},     {0xA76, 0xA76},
    {0xAFA, 0xAFF},     {0xB55, 0xB55},     {0xC04, 0xC3C},     {0xC77, 0xC77},     {0xC84, 0xC84},
    {0xD00, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},     {0xEBA, 0xEBA},     {0xECE, 0xECE},
    {0x180F, 0x1886},   {0x1ABF, 0x1ACE},   {0x1B7D, 0x1B7E},   {0x1DF6, 0x1DFB},   {0x2E43, 0x2E5D},
    {0xA82C, 0xA82C},   {0xA8C5, 0xA8C5},   {0xA8FF, 0xA8FF},   {0xA9BD, 0xA9BD},   {0x10D24, 0x10F89},
    {0x11070, 0x11074}, {0x110C2, 0x110CD}, {0x111CF, 0x111CF}, {0x1123E, 0x11241}, {0x1133B, 0x1133B},
    {0x11438, 0x1145E}, {0x11660, 0x1166C}, {0x116B9, 0x116B9}, {0x1182F, 0x11FFF}, {0x12FF1, 0x13455},
    {0x16E97, 0x16F4F}, {0x16FE2, 0x16FE4}, {0x1CF00, 0x1CF46}, {0x1E000, 0x1E4EF}, {0x1E944, 0x1E95F},
};

/// Combining characters that the crates' decomposition takes for starters (combining class 0).
inline constexpr CodePointRange kUnknownCombiningClass[] = {
    {0x7FD, 0x7FD},     {0x898, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},
    {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
    {0x10D24, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x11A99},
    {0x11D42, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E4EF},
};

// Characters whose category Unicode changed after version 8.
inline constexpr char32_t kHanunooPamudpod = 0x1734;           // was a nonspacing mark, is a spacing one
inline constexpr char32_t kCanadianSyllabicsChiSign = 0x166D;  // was punctuation, is a symbol
inline constexpr char32_t kSharadaSandhiMark = 0x111C9;        // was punctuation, is a nonspacing mark

/// Decomposes since Unicode 13; not for the crates.
inline constexpr char32_t kDivesAkuruVowelSignO = 0x11938;

/// Upper case letters newer than Unicode 15: the lower case of `first` + i is `lower` + i.
struct LowerCaseRange {
  char32_t first;
  char32_t last;
  char32_t lower;
};
inline constexpr LowerCaseRange kNewerLowerCase[] = {
    {0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x264},     {0xA7CC, 0xA7CC, 0xA7CD}, {0xA7CE, 0xA7CE, 0xA7CF},
    {0xA7D2, 0xA7D2, 0xA7D3},    {0xA7D4, 0xA7D4, 0xA7D5},    {0xA7DA, 0xA7DA, 0xA7DB}, {0xA7DC, 0xA7DC, 0x19B},
    {0x10D50, 0x10D65, 0x10D70}, {0x16EA0, 0x16EB8, 0x16EBB},
};

}  // namespace lockstep::data
