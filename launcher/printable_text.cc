// Apart from the log, so that programs without one can use it.
#include "launcher/log.h"

namespace lockstep {

std::string printable_text(const std::string& text) {
  static const char* const hex = "0123456789abcdef";
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1_control = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte == '\n' || byte == '\t') {
      shown += ' ';
    } else if (byte < 0x20 || byte == 0x7F || c1_control) {
      const unsigned char control = c1_control ? static_cast<unsigned char>(text[++i]) : byte;
      shown += std::string("\\x") + hex[control >> 4] + hex[control & 15];
    } else {
      shown += text[i];
    }
  }
  return shown;
}

}  // namespace lockstep
