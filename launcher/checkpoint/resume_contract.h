#pragma once

#include <string>
#include <vector>

#include "launcher/checkpoint/manifest.h"

namespace lockstep {

/// What a difference between the saved run and the one that goes on means.
enum class ChangeVerdict {
  kHarmless,         // the training stays what it was, but perhaps for the last bits
  kNeedsPermission,  // another training from here on: by --allow_change
  kRefused           // the saved place would mean something else
};

struct Change {
  std::string key;
  std::string saved;  // "" if the run did not know the key
  std::string now;
  ChangeVerdict verdict = ChangeVerdict::kHarmless;
};

/// An option of `lockstep train`, or one of the facts that train_inputs.h adds.
ChangeVerdict verdict_on_change(const std::string& key);
/// The keys that do not need permission, harmless and refused ones.
std::vector<std::string> judged_keys();

/// Every key whose values differ, by name.
std::vector<Change> changes_between(const RunFacts& saved, const RunFacts& now);

/// One line for each change: key, old value, new value, and what it means.
std::string diff_text(const std::vector<Change>& changes);

/// Throws SettingsError with the whole diff if one of them is refused, or needs a permission that `allowed`, keys
/// separated by commas, lacks.
void require_allowed(const std::vector<Change>& changes, const std::string& allowed);

}  // namespace lockstep
