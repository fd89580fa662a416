#include "launcher/cli/option_values.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "data/spelling.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

/// A limit from here on protects the program; who breaks the other one need not read of it.
constexpr double kManyEnough = 1e6;

template <typename Number>
struct Parsed {
  Number value{};
  bool is_number = false;
  bool fits = false;
};

template <typename Number>
Parsed<Number> parsed(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Parsed<Number> result;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result.value);
  result.is_number = end == text.data() + text.size() && error != std::errc::invalid_argument;
  result.fits = result.is_number && error == std::errc();
  return result;
}

std::string shown(int64_t value) {
  return std::to_string(value);
}
std::string shown(double value) {
  return formatted("%.10g", value);
}

template <typename Number>
CLI::Validator in_range(const std::string& kind, Number low, Number high) {
  const auto check = [=](const std::string& text) -> std::string {
    const Parsed<Number> found = parsed<Number>(text);
    if (found.fits && found.value >= low && found.value <= high) return "";
    const bool too_large = found.is_number && !text.starts_with('-') && (!found.fits || found.value > high);
    if (too_large) return refusal(text, kind + " of at most " + shown(high));
    if (static_cast<double>(high) >= kManyEnough) return refusal(text, kind + " of at least " + shown(low));
    return refusal(text, kind + " from " + shown(low) + " to " + shown(high));
  };
  return {check, ""};
}

template <typename Fits>
CLI::Validator fitting(const std::string& meaning, Fits fits) {
  return {[=](const std::string& text) { return fits(text) ? std::string() : refusal(text, meaning); }, ""};
}

bool is_fraction(const std::string& text) {
  const Parsed<double> found = parsed<double>(text);
  return found.fits && found.value >= 0 && found.value < 1;
}

template <typename Number>
bool is_minus_one(const std::string& text) {
  const Parsed<Number> found = parsed<Number>(text);
  return found.fits && found.value == -1;
}

}  // namespace

CLI::Validator whole_number(int64_t low, int64_t high) {
  return in_range<int64_t>("a whole number", low, high);
}

CLI::Validator count_or_all() {
  return fitting("a whole number of at least 1, or -1: all", [](const std::string& text) {
    return is_minus_one<int64_t>(text) || (parsed<int64_t>(text).fits && parsed<int64_t>(text).value >= 1);
  });
}

CLI::Validator number(double low, double high) {
  return in_range<double>("a number", low, high);
}

CLI::Validator fraction() {
  return fitting("a number from 0 to below 1", is_fraction);
}

CLI::Validator fraction_or_default() {
  return fitting("a number from 0 to below 1, or -1: as in config.json",
                 [](const std::string& text) { return is_minus_one<double>(text) || is_fraction(text); });
}

CLI::Validator one_of(const std::vector<std::string>& choices) {
  return fitting("one of " + data::listed(choices), [=](const std::string& text) {
    return std::find(choices.begin(), choices.end(), text) != choices.end();
  });
}

CLI::Validator filled(const std::string& meaning) {
  return fitting(meaning, [](const std::string& text) { return !text.empty(); });
}

std::string refusal(const std::string& found, const std::string& meaning) {
  return "found \"" + data::excerpt(found) + "\"" + (found.empty() ? " (empty)" : "") + ", expected " + meaning;
}

}  // namespace lockstep
