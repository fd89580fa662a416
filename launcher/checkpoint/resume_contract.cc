#include "launcher/checkpoint/resume_contract.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>
#include <sstream>

#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

// Where something is, who computes it and what is printed. Of what the paths lead to, and of batches and dropout, the
// facts count.
const std::set<std::string> kHarmless = {"attention_dropout",
                                         "config",
                                         "dataset",
                                         "ddp_backend",
                                         "ddp_bucket_cap_mb",
                                         "device",
                                         "disable_tqdm",
                                         "dropout",
                                         "eval_ranks",
                                         "global_batch_size",
                                         "gradient_accumulation_steps",
                                         "hang_timeout",
                                         "logging_steps",
                                         "model_name_or_path",
                                         "output_dir",
                                         "overwrite_output_dir",
                                         "per_device_eval_batch_size",
                                         "per_device_train_batch_size",
                                         "profile",
                                         "program",
                                         "published_results",
                                         "ranks",
                                         "save_steps",
                                         "save_strategy",
                                         "save_total_limit",
                                         "seq_classif_dropout",
                                         "threads",
                                         "threads_per_rank"};

// The place in the epoch's order, or what "the best so far" means.
const std::set<std::string> kRefused = {
    "data_set_sha256", "global_batch", "max_train_samples", "metric_for_best_model", "seed",
    "train_examples",  "train_split",  "vocabulary_sha256"};

const char* words_on(ChangeVerdict verdict) {
  switch (verdict) {
    case ChangeVerdict::kHarmless:
      return "harmless";
    case ChangeVerdict::kNeedsPermission:
      return "another training";
    case ChangeVerdict::kRefused:
      return "refused";
  }
  return "";
}

std::string value_or_none(const RunFacts& facts, const std::string& key) {
  const auto found = facts.find(key);
  return found == facts.end() ? "" : found->second;
}

std::optional<int64_t> whole_number_of(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

/// 0.001 is 1e-3. Whole numbers may have more digits than a double.
bool are_equal(const std::string& a, const std::string& b) {
  if (a == b) return true;
  if (const auto whole_a = whole_number_of(a), whole_b = whole_number_of(b); whole_a && whole_b)
    return *whole_a == *whole_b;
  char *end_a = nullptr, *end_b = nullptr;
  const double number_a = std::strtod(a.c_str(), &end_a), number_b = std::strtod(b.c_str(), &end_b);
  return !a.empty() && !b.empty() && *end_a == '\0' && *end_b == '\0' && number_a == number_b;
}

/// Names separated by commas; blanks around them do not count.
std::set<std::string> names_in(const std::string& list) {
  std::set<std::string> names;
  std::istringstream rest(list);
  for (std::string name; std::getline(rest >> std::ws, name, ',');)
    names.insert(name.substr(0, name.find_last_not_of(' ') + 1));
  return names;
}

}  // namespace

ChangeVerdict verdict_on_change(const std::string& key) {
  if (kHarmless.contains(key)) return ChangeVerdict::kHarmless;
  return kRefused.contains(key) ? ChangeVerdict::kRefused : ChangeVerdict::kNeedsPermission;
}

std::vector<std::string> judged_keys() {
  std::vector<std::string> keys(kHarmless.begin(), kHarmless.end());
  keys.insert(keys.end(), kRefused.begin(), kRefused.end());
  return keys;
}

std::vector<Change> changes_between(const RunFacts& saved, const RunFacts& now) {
  std::set<std::string> keys;
  for (const RunFacts* facts : {&saved, &now})
    for (const auto& [key, value] : *facts)
      keys.insert(key);
  std::vector<Change> changes;
  for (const std::string& key : keys) {
    const std::string before = value_or_none(saved, key), after = value_or_none(now, key);
    // A fact that nobody noted then cannot be judged now.
    const ChangeVerdict verdict = saved.contains(key) ? verdict_on_change(key) : ChangeVerdict::kHarmless;
    if (!are_equal(before, after)) changes.push_back({key, before, after, verdict});
  }
  return changes;
}

std::string diff_text(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes)
    text += formatted("\n  %s: %s -> %s (%s)", change.key.c_str(), change.saved.c_str(), change.now.c_str(),
                      words_on(change.verdict));
  return text;
}

void require_allowed(const std::vector<Change>& changes, const std::string& allowed) {
  const std::set<std::string> permitted = names_in(allowed);
  std::string refused, needed;
  bool is_missing = false;
  for (const Change& change : changes) {
    if (change.verdict == ChangeVerdict::kRefused) refused += " " + change.key;
    if (change.verdict != ChangeVerdict::kNeedsPermission) continue;
    needed += (needed.empty() ? "" : ",") + change.key;
    is_missing = is_missing || !permitted.contains(change.key);
  }
  if (!refused.empty())
    throw SettingsError("the checkpoint is of another run:" + diff_text(changes) + "\nWith other values of" + refused +
                        " its place in the epoch has no meaning: give the old ones, or start anew in another folder");
  if (is_missing)
    throw SettingsError("the run that goes on differs from the saved one:" + diff_text(changes) +
                        "\nIf that is meant, give --allow_change " + needed);
}

}  // namespace lockstep
