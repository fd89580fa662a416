#include "data/spelling.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace lockstep::data {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Insertions, deletions and replacements that make `a` into `b`.
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // row[j]: edits from a[0, i) to b[0, j)
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

bool is_one_slip(std::string_view word, std::string_view name) {
  if (edits(word, name) <= 1) return true;
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  const auto at = std::ranges::mismatch(word, name, same).in1 - word.begin();
  std::string exchanged(word);
  if (at + 1 < std::ssize(word)) std::swap(exchanged[static_cast<size_t>(at)], exchanged[static_cast<size_t>(at) + 1]);
  return edits(exchanged, name) == 0;
}

std::string misspelt(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  size_t fewest = word.size() + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edits(word, candidate);
    if (distance < fewest && distance * 2 <= std::max(word.size(), candidate.size()))
      best = candidate, fewest = distance;
  }
  return best;
}

/// Whether `part` ("epochs") is made of whole words of `name` ("num_train_epochs").
bool has_words(std::string_view name, std::string_view part) {
  const auto fenced = [](std::string_view text) { return std::string("_").append(text).append("_"); };
  return fenced(name).find(fenced(part)) != std::string::npos;
}

std::string shorter_or_longer(std::string_view word, std::span<const std::string> candidates) {
  const auto found = std::ranges::find_if(
      candidates, [&](const std::string& name) { return has_words(name, word) || has_words(word, name); });
  return found == candidates.end() ? "" : *found;
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  const std::string found = misspelt(word, candidates);
  return found.empty() ? shorter_or_longer(word, candidates) : found;
}

std::string one_slip_from(std::string_view word, std::span<const std::string> candidates) {
  const auto found = std::ranges::find_if(candidates, [&](const std::string& name) { return is_one_slip(word, name); });
  return found == candidates.end() ? "" : *found;
}

std::string listed(std::span<const std::string> names) {
  constexpr size_t kMost = 20;
  std::string list;
  for (const std::string& name : names.first(std::min(names.size(), kMost)))
    list += (list.empty() ? "" : ", ") + name;
  return names.size() <= kMost ? list : list + " and " + std::to_string(names.size() - kMost) + " more";
}

std::string excerpt(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace lockstep::data
