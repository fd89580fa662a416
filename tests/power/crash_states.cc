#include "tests/power/crash_states.h"

#include <algorithm>
#include <set>

namespace lockstep::tests {

namespace {

using Fates = std::vector<Fate>;

constexpr size_t kMostCombinations = 512;
constexpr size_t kPartners = 32;  // with which the newest change is lost
constexpr size_t kNewest = 5;
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

std::vector<Fates> uniform_combinations(const std::vector<bool>& changes) {
  std::vector<Fates> all = {uniform(changes, Fate::kKept, Fate::kKept), uniform(changes, Fate::kLost, Fate::kLost),
                            uniform(changes, Fate::kLost, Fate::kKept)};
  for (const Fate bytes : {Fate::kLost, Fate::kTorn, Fate::kZeroed})
    all.push_back(uniform(changes, Fate::kKept, bytes));
  return all;
}

Fates with(Fates fates, size_t i, Fate fate) {
  fates[i] = fate;
  return fates;
}

std::vector<Fates> single_combinations(const std::vector<bool>& changes) {
  const Fates kept = uniform(changes, Fate::kKept, Fate::kKept), lost = uniform(changes, Fate::kLost, Fate::kLost);
  std::vector<Fates> all;
  Fates journal = lost;
  for (size_t i = 0; i < changes.size(); ++i) {
    for (size_t fate = 1; fate < fates_of(changes[i]); ++fate)
      all.push_back(with(kept, i, kFates[fate]));
    all.push_back(with(lost, i, Fate::kKept));
    all.push_back(journal = with(journal, i, Fate::kKept));
  }
  return all;
}

/// Of more than kNewest changes.
std::vector<Fates> combinations_of_the_newest(const std::vector<bool>& changes) {
  const Fates kept = uniform(changes, Fate::kKept, Fate::kKept);
  const size_t newest = changes.size() - 1;
  std::vector<Fates> all;
  for (size_t i = newest - std::min(kPartners, newest); i < newest; ++i)
    all.push_back(with(with(kept, newest, Fate::kLost), i, Fate::kLost));
  for (size_t lost = 0; lost < size_t{1} << kNewest; ++lost) {
    all.push_back(kept);
    for (size_t i = 0; i < kNewest; ++i)
      if ((lost >> i & 1) != 0) all.back()[newest - i] = Fate::kLost;
  }
  return all;
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
                    const std::function<bool(const Tree&)>& visit) {
  const std::vector<bool> changes = disk.changes();
  std::set<Fates> seen;
  const auto look = [&](Fates fates) {
    const Tree tree = disk.after_power_loss(fates);  // corrects the fates
    return !seen.insert(fates).second || visit(tree);
  };
  if (count_of_combinations(changes) <= kMostCombinations) {
    std::ranges::all_of(all_combinations(changes), look);
    return;
  }
  bool goes_on = true;
  for (const auto& choose : {uniform_combinations, single_combinations, combinations_of_the_newest})
    goes_on = goes_on && std::ranges::all_of(choose(changes), look);
  for (int i = 0; i < samples && goes_on; ++i)
    goes_on = look(random_combination(changes, random));
}

}  // namespace lockstep::tests
