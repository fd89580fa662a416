// vocab.txt: refused, or a tokenizer that labels a text with ids of it.
#include "data/error.h"
#include "data/wordpiece.h"
#include "target.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  // The five special tokens come first, which no mutation would find together.
  const std::string text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + std::string(fuzz::text_of(bytes, size));
  try {
    const data::WordPieceTokenizer tokenizer(data::Vocabulary::parse(text, fuzz::kWhere), {});
    for (const int32_t id : tokenizer.encode(text, 64))
      fuzz::require(id >= 0 && id < static_cast<int32_t>(tokenizer.vocabulary().size()), "ids are the vocabulary's");
  } catch (const data::DataError& error) {
    fuzz::require_good_error(error);
  } catch (const data::ContractError& error) {
    fuzz::require_good_error(error);
  }
  return 0;
}
