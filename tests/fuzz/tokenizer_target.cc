// A text: the same ids as from plain_tokenizer.h. The first byte chooses options and length.
#include <array>
#include <memory>

#include "data/wordpiece.h"
#include "plain_tokenizer.h"
#include "target.h"

using namespace lockstep;

namespace {

std::vector<std::string> tokens() {
  std::vector<std::string> list = {
      "[PAD]",        "[UNK]",          "[CLS]",    "[SEP]", "[MASK]",   "an",         "##an",
      "ana",          "##nab",          "aba",      "##ab",  "\xC3\xA9", "##\xC3\xA9", "e\xCC\x81",
      "\xE4\xB8\xAD", "##\xE4\xB8\xAD", "\xCC\x81", "#",     "##",       "###"};
  for (char c = '!'; c <= '~'; ++c)
    if (c != '#') list.emplace_back(1, c);
  for (const char c : std::string("abn019z"))
    list.push_back(std::string("##") + c);
  return list;
}

data::TokenizerOptions options_of(size_t i) {
  return {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const auto all = [] {
    std::array<std::unique_ptr<data::WordPieceTokenizer>, 8> made;
    for (size_t i = 0; i < made.size(); ++i)
      made[i] = std::make_unique<data::WordPieceTokenizer>(data::Vocabulary(tokens()), options_of(i));
    return made;
  }();
  static const PlainTokenizer plain(tokens());
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(bytes + 1, size - 1);
  const size_t which = bytes[0] & 7U;
  const int max_length = 2 + (bytes[0] >> 3);
  fuzz::require(all[which]->encode(text, max_length) == plain.encode(text, options_of(which), max_length),
                "both tokenizers give the same ids", text);
  return 0;
}
