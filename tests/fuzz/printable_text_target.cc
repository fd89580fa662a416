// What reaches the terminal of foreign text: valid UTF-8 without anything that drives it, whatever the bytes.
#include "data/unicode.h"
#include "launcher/cli/printable_text.h"
#include "target.h"

using namespace lockstep;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string shown = printable_text(std::string(fuzz::text_of(bytes, size)));
  for (size_t at = 0; at < shown.size();) {
    const data::Decoded next = data::decode_utf8(shown, at);
    fuzz::require(next.valid, "it is UTF-8", shown);
    fuzz::require(next.code_point >= 0x20 && (next.code_point < 0x7F || next.code_point > 0x9F), "no control is left",
                  shown);
    fuzz::require(next.code_point < 0x202A || next.code_point > 0x202E, "no change of direction is left", shown);
    at += next.length;
  }
  fuzz::require(printable_text(shown) == shown, "what is printable stays as it is", shown);
  return 0;
}
