#pragma once

#include <cstdint>
#include <string>

namespace lockstep {

/// printf into a string; the compiler checks arguments against `pattern`.
[[gnu::format(printf, 1, 2)]] std::string formatted(const char* pattern, ...);

/// "1 step", "2 steps".
std::string counted(int64_t count, const std::string& singular);

/// `value` to `digits` decimals; the double that prints as short as it looks.
double rounded(double value, int digits);

}  // namespace lockstep
