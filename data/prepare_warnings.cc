#include "data/prepare_warnings.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace lockstep::data {
namespace {

constexpr double kManyTruncated = 0.05;  // of a split's texts
constexpr double kUnbalanced = 1.5;      // largest class against smallest

/// "3 of 40 train texts (7.5 %)"
std::string share(int64_t part, int64_t all, const std::string& split) {
  char percent[32];
  std::snprintf(percent, sizeof percent, "%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(all));
  return std::to_string(part) + " of " + std::to_string(all) + " " + split + " texts (" + percent + ")";
}

void warn_of_texts(const std::string& name, const SplitEntry& split, int max_length,
                   std::vector<std::string>& warnings) {
  if (split.empty > 0)
    warnings.push_back(share(split.empty, split.examples, name) +
                       " have no pieces at all; they are kept as [CLS] [SEP].");
  if (static_cast<double>(split.truncated) > kManyTruncated * static_cast<double>(split.examples))
    warnings.push_back(share(split.truncated, split.examples, name) + " are longer than " + std::to_string(max_length) +
                       " ids and lose their end.");
  if (split.invalid_utf8 > 0)
    warnings.push_back(share(split.invalid_utf8, split.examples, name) +
                       " are not valid UTF-8; the bad bytes were replaced by U+FFFD.");
}

void warn_of_labels(const std::string& name, const SplitEntry& split, std::vector<std::string>& warnings) {
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [least, most] =
      std::minmax_element(split.examples_per_label.begin(), split.examples_per_label.end(), by_count);
  if (least->second == 0)
    warnings.push_back("No " + name + " text has the label \"" + least->first + "\".");
  else if (static_cast<double>(most->second) > kUnbalanced * static_cast<double>(least->second))
    warnings.push_back("The " + name + " classes are unbalanced: \"" + most->first + "\" has " +
                       std::to_string(most->second) + " texts, \"" + least->first + "\" has " +
                       std::to_string(least->second) + "; read F1 next to accuracy.");
  if (split.examples > 100 && std::ssize(split.examples_per_label) * 4 > split.examples)
    warnings.push_back(std::to_string(split.examples_per_label.size()) + " different labels for " +
                       std::to_string(split.examples) + " " + name + " texts; is the label column the right one?");
}

std::string without_spaces_around(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

void warn_of_labels_that_look_alike(const std::vector<std::string>& labels, std::vector<std::string>& warnings) {
  std::map<std::string, std::string> seen;  // by what stands between the spaces
  for (const std::string& label : labels)
    if (const auto [other, is_new] = seen.emplace(without_spaces_around(label), label); !is_new)
      warnings.push_back("The labels \"" + other->second + "\" and \"" + label +
                         "\" differ only in the spaces around them; they are two classes.");
}

}  // namespace

std::vector<std::string> data_set_warnings(const PrepareReport& report) {
  std::vector<std::string> warnings;
  warn_of_labels_that_look_alike(report.manifest.labels, warnings);
  for (const auto& [name, split] : report.manifest.splits) {
    warn_of_texts(name, split, report.manifest.max_length, warnings);
    warn_of_labels(name, split, warnings);
    if (const int64_t repeated = report.duplicates_within.at(name); repeated > 0)
      warnings.push_back(share(repeated, split.examples, name) +
                         " repeat an earlier one word for word; they are kept.");
  }
  for (const auto& [pair, count] : report.duplicates_across) {
    if (count == 0) continue;
    const std::string split = pair.substr(0, pair.find(' ')), other = pair.substr(pair.rfind(' ') + 1);
    warnings.push_back(share(count, report.manifest.splits.at(split).examples, split) + " also stand in " + other +
                       (other == "train" ? "; the model will have seen them, so its score there is a little too high."
                                         : "; they are kept."));
  }
  return warnings;
}

}  // namespace lockstep::data
