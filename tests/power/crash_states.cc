#include "tests/power/crash_states.h"

#include <set>

namespace lockstep::tests {

namespace {

using Fates = std::vector<Fate>;

constexpr size_t kMostCombinations = 256;
constexpr Fate kFates[] = {Fate::kKept, Fate::kLost, Fate::kTorn, Fate::kZeroed};

/// What can become of a change: the first so many of kFates.
size_t fates_of(bool is_of_bytes) {
  return is_of_bytes ? 4 : 2;
}

std::vector<Fates> all_combinations(const std::vector<bool>& changes) {
  std::vector<Fates> all = {{}};
  for (const bool is_of_bytes : changes) {
    std::vector<Fates> longer;
    for (const Fates& fates : all)
      for (size_t i = 0; i < fates_of(is_of_bytes); ++i) {
        longer.push_back(fates);
        longer.back().push_back(kFates[i]);
      }
    all = std::move(longer);
  }
  return all;
}

size_t count_of_combinations(const std::vector<bool>& changes) {
  size_t count = 1;
  for (const bool is_of_bytes : changes) {
    count *= fates_of(is_of_bytes);
    if (count > kMostCombinations) break;
  }
  return count;
}

/// One fate for changes of names, one for those of bytes.
Fates uniform(const std::vector<bool>& changes, Fate names, Fate bytes) {
  Fates fates;
  for (const bool is_of_bytes : changes)
    fates.push_back(is_of_bytes ? bytes : names);
  return fates;
}

std::vector<Fates> chosen_combinations(const std::vector<bool>& changes) {
  const Fates kept = uniform(changes, Fate::kKept, Fate::kKept), lost = uniform(changes, Fate::kLost, Fate::kLost);
  std::vector<Fates> chosen = {kept, lost};
  for (const Fate fate : {Fate::kLost, Fate::kTorn, Fate::kZeroed})
    chosen.push_back(uniform(changes, Fate::kKept, fate));
  chosen.push_back(uniform(changes, Fate::kLost, Fate::kKept));
  const auto add = [&](Fates fates, size_t i, Fate fate) {
    fates[i] = fate;
    chosen.push_back(std::move(fates));
  };
  const auto add_two_lost = [&](size_t i, size_t j) {
    Fates fates = kept;
    fates[i] = fates[j] = Fate::kLost;
    chosen.push_back(std::move(fates));
  };
  Fates journal = lost;
  for (size_t i = 0; i < changes.size(); ++i) {
    for (size_t fate = 1; fate < fates_of(changes[i]); ++fate)
      add(kept, i, kFates[fate]);
    add(lost, i, Fate::kKept);
    add(journal, i, Fate::kKept);
    journal[i] = Fate::kKept;
    for (size_t j = 0; j < i; ++j)
      add_two_lost(i, j);
  }
  return chosen;
}

Fates random_combination(const std::vector<bool>& changes, std::mt19937& random) {
  const auto in_four = random() % 5;  // so many are changed by the power loss
  Fates fates;
  for (const bool is_of_bytes : changes)
    fates.push_back(random() % 4 < in_four ? kFates[1 + random() % (fates_of(is_of_bytes) - 1)] : Fate::kKept);
  return fates;
}

}  // namespace

void for_each_state(const Disk& disk, int samples, std::mt19937& random,
                    const std::function<void(const Tree&)>& visit) {
  const std::vector<bool> changes = disk.changes();
  std::set<Fates> seen;
  const auto look = [&](Fates fates) {
    const Tree tree = disk.after_power_loss(fates);  // corrects the fates
    if (seen.insert(fates).second) visit(tree);
  };
  if (count_of_combinations(changes) <= kMostCombinations) {
    for (const Fates& fates : all_combinations(changes))
      look(fates);
    return;
  }
  for (const Fates& fates : chosen_combinations(changes))
    look(fates);
  for (int i = 0; i < samples; ++i)
    look(random_combination(changes, random));
}

}  // namespace lockstep::tests
