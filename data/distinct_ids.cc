#include "data/distinct_ids.h"

#include <algorithm>

namespace lockstep::data {

// By marking rather than sorting: a batch has many more ids than the vocabulary has distinct ones.
std::vector<int32_t> distinct_ids(std::span<const int32_t> ids) {
  if (ids.empty()) return {};
  std::vector<char> is_used(static_cast<size_t>(*std::max_element(ids.begin(), ids.end())) + 1);
  for (const int32_t id : ids)
    is_used[static_cast<size_t>(id)] = true;
  std::vector<int32_t> distinct;
  for (size_t id = 0; id < is_used.size(); ++id)
    if (is_used[id]) distinct.push_back(static_cast<int32_t>(id));
  return distinct;
}

}  // namespace lockstep::data
