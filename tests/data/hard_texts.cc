#include "hard_texts.h"

#include <string_view>

namespace lockstep::tests {

namespace {

using namespace std::string_literals;

std::string repeat(const std::string& unit, int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += unit;
  return text;
}

std::vector<std::string> letters() {
  return {
      "café naïve ÀÉÎÕÜ Ångström",                            // composed accents
      "cafe\u0301 nai\u0308ve A\u0300 A\u030angstro\u0308m",  // the same, decomposed
      "\u0041\u0327\u0301 \u0041\u0301\u0327 \u1e09 \u1ec7",  // two marks in both orders
      "İstanbul ısı I\u0307 i\u0307 DİYARBAKIR",              // Turkish dotted and dotless i
      "Straße GROẞ ẞ ß",                                      // German sharp s
      "ΟΔΥΣΣΕΥΣ ΣΑΣ ὈΔΥΣΣΕΎΣ ς σ Σ",                          // final sigma
      "ﬁne ﬂow oﬃce ﬅ Ĳssel ǅ Ǆ ǆ ŉ",                         // ligatures, digraphs, title case
      "Привет Ёлка Йод ѝ Україна Ґ",
      "שָׁלוֹם עִבְרִית יִ אַ",
      "مُحَمَّد العَرَبِيَّة ﷺ ۝ ؛ ، ؟",
      "हिन्दी नमस्ते क़ ढ़ বাংলা தமிழ் ไทย ที่",
      "ᲀ ᲁ Ა ა Ꭰ ꭰ Ɐ ⱥ Ȿ K Å Ω",            // letters whose case or decomposition is unusual
      "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝐀 𐐀 𐐨 𞤀 𞤢",  // beyond the basic plane
  };
}

std::vector<std::string> east_asia() {
  return {
      "中文字符 abc中def 中,文。",
      "㐀䶿一鿿 𠀀𪛟 𪜀𫜿 𫝀𫠟 𫠠 𫤟 𫤠𬺯 𬺰 𮯠 𰀀 𱍐",  // ends of the CJK blocks and
                                                                                         // extensions
      "豈 﨎 﫿 丽 𪘀",                                                            // compatibility ideographs
      "한국어 ᄒ\u1161\u11ab 각 힣 ㅎㅏㄴ ﾡ", "ひらがな カタカナ ガ か\u3099 ハ\u309a ｶﾞ ー々〆〇",
      "「引用」『二重』（括弧）！？、。・…—～",
      "ＡＢＣ１２３！＂＃",                       // full width
      "a\u302Eb 가\u302e 나\u302f \u302a\u302e",  // Hangul and ideographic tone marks
  };
}

std::vector<std::string> symbols() {
  return {
      "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
      "a!b\"c#d$e%f&g'h(i)j*k+l,m-n.o/p:q;r<s=t>u?v@w[x\\y]z^a_b`c{d|e}f~g",
      "$5 £5 €5 ¥5 ₿5 ¢ ¤ ₹ ﷼",
      "2×3÷4±5 ∑∏∫√∞≠≤≥∂∇ x² y³ ½ ¼ ⅓ № ™ ® © ° µ π",
      "‘single’ “double” „low‟ «guillemets» ‹single› – — ― … • ‰ ′ ″ ‽ ⁂",
      "😀 😃😃 👍🏽 👨‍👩‍👧‍👦 ❤️ ❤︎ 🏳️‍🌈 🇩🇪 1️⃣ ☺ ♥ ✔",
      "a😀b don't it's I’m rock'n'roll U.S.A. e.g. 3.14 1,000 10/10 C++ :-) <br /><br />",
      "᙭ a᙭b \U000111C9 \u1734 \U00011938 \u2E43 \u2E52 \u061D",  // where Unicode versions differ
  };
}

std::vector<std::string> white_space_and_controls() {
  return {
      "",
      " ",
      " \t\n\r  \n",
      "a\tb\nc\rd\r\ne",
      "a\vb\fc \x1c\x1d\x1e\x1f d",
      "a\u00a0b\u1680c\u2000d\u2003e\u2009f\u200ag\u202fh\u205fi\u3000j",
      "a\u0085b\u2028c\u2029d",
      "a\u200bb\u200cc\u200dd\u2060e\ufefff\u180eg",
      "soft\u00adhyphen \u00ad \u200e\u200f\u202a\u202e",
      "\x01\x02\x7f a\x01\x62\x7f",
      "nul\0inside \0 end\0"s,
      "\u0301 \u0301\u0302 a \u20dd a\u20dd \u0488 x\u0489",  // marks without a letter, enclosing marks
      "\u0378 a\u0378b \U000E0000 \U0003FFFF \uFFFE \uFFFF",  // unassigned, noncharacters
      "\ue000 a\ue000b \uf8ff \U000F0000 \U0010FFFD",         // private use
      "\ufffd a\ufffdb",
      "\u0600 a\u06ddb \U000110BD \U000E0001\U000E0041",  // format characters
  };
}

std::vector<std::string> bad_bytes() {
  return {
      "a\xed\xa0\x80z \xed\xbf\xbf \xed\xa0\xbd\xed\xb8\x80",  // surrogates
      "a\x80z \xbf \x80\x80\x80",                              // continuation bytes alone
      "a\xc0\x80z \xc1\xbf \xe0\x80\x80 \xf0\x80\x80\x80",     // overlong forms
      "a\xc3z \xe2\x82z \xf0\x9f\x98z \xf0\x9fz",              // cut short inside
      "end \xe2\x82",                                          // cut short at the end
      "a\xf4\x90\x80\x80z \xf5\x80\x80\x80 \xfe\xff",          // beyond U+10FFFF
      "caf\xe9 latin-1 na\xefve",
      "[SE\xffP] [SEP\xff] \xff[SEP]",
  };
}

std::vector<std::string> special_tokens() {
  return {
      "[SEP]",
      "a [SEP] b [MASK] c [CLS] d [PAD] e [UNK]",
      " [sep] [mask] [Sep] [ SEP ] [SEP [SEP]] [[SEP]",
      "a[SEP]b[MASK][MASK]c,[CLS].[PAD]!",
      "café[SEP]\u0301e [SEP]中[SEP]",
      "[unused0] [CLS [MASK ] ##ing ## ##",
  };
}

std::vector<std::string> long_ones() {
  return {
      repeat("a", 99),
      repeat("a", 100),
      repeat("a", 101),
      repeat("é", 100) + " " + repeat("é", 101) + " " + repeat("e\u0301", 101),
      repeat("ab", 60) + "! " + repeat("x", 1000),
      repeat("supercalifragilistic", 5) + " " + repeat("supercalifragilistic", 5) + "x",
      repeat("😀", 101) + " " + repeat("中", 150),
      repeat("The movie was surprisingly good, wasn't it? ", 110),  // over 1200 ids
      repeat("unwordly", 400),
  };
}

}  // namespace

std::vector<std::string> hard_texts() {
  std::vector<std::string> all;
  for (const auto& part :
       {letters(), east_asia(), symbols(), white_space_and_controls(), bad_bytes(), special_tokens(), long_ones()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace lockstep::tests
