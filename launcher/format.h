#pragma once

#include <string>

namespace lockstep {

/// printf into a string; the compiler checks arguments against `pattern`.
[[gnu::format(printf, 1, 2)]] std::string formatted(const char* pattern, ...);

}  // namespace lockstep
