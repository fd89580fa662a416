#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace lockstep {

/// What options take, as checks for CLI::Option::check. All refuse in one style, which the option's name leads: found
/// "0", expected a whole number of at least 1.
CLI::Validator whole_number(int64_t low, int64_t high = std::numeric_limits<int64_t>::max());
/// At least 1, or -1.
CLI::Validator count_or_all();
/// Never infinite, never NaN.
CLI::Validator number(double low, double high);
/// From 0, and below 1.
CLI::Validator fraction();
/// Likewise, or -1.
CLI::Validator fraction_or_default();
CLI::Validator one_of(const std::vector<std::string>& choices);
/// `meaning`: "a folder". What a shell's unset variable leaves is no path.
CLI::Validator filled(const std::string& meaning);

/// `found "fast", expected MEANING`; nothing at all is said to be empty.
std::string refusal(const std::string& found, const std::string& meaning);

}  // namespace lockstep
