#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace lockstep::data {

/// No more than a model's config.json may name: what is trained on more could not be read again.
inline constexpr int64_t kMostLabels = 1 << 16;

/// The class names in the order of their ids: by number if all are integers ("2" before "10"), else by their bytes, so
/// that IMDB's are neg = 0 and pos = 1.
std::vector<std::string> order_labels(const std::set<std::string>& names);

/// name -> id, for names in the order of their ids.
std::map<std::string, int32_t> label_ids(const std::vector<std::string>& names);

}  // namespace lockstep::data
