#include "data/labels.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace lockstep::data {
namespace {

std::optional<int64_t> integer(const std::string& name) {
  int64_t value = 0;
  const char* end = name.data() + name.size();
  const auto [stopped_at, error] = std::from_chars(name.data(), end, value);
  return error == std::errc{} && stopped_at == end ? std::optional(value) : std::nullopt;
}

}  // namespace

std::vector<std::string> order_labels(const std::set<std::string>& names) {
  std::vector<std::string> ordered(names.begin(), names.end());
  if (std::all_of(ordered.begin(), ordered.end(), [](const std::string& name) { return integer(name).has_value(); }))
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const std::string& a, const std::string& b) { return *integer(a) < *integer(b); });
  return ordered;
}

std::map<std::string, int32_t> label_ids(const std::vector<std::string>& names) {
  std::map<std::string, int32_t> ids;
  for (const std::string& name : names)
    ids.emplace(name, static_cast<int32_t>(ids.size()));
  return ids;
}

}  // namespace lockstep::data
