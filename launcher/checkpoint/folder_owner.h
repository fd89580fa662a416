#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace lockstep {

/// Whose a run folder is. Its lock does not reach every host, and ends with its file; a job that was frozen meanwhile
/// knows nothing of that. So whoever takes the folder leaves its name in it, and looks again before it changes
/// anything.
class FolderOwner {
 public:
  /// Takes `folder`; who had it before has lost it. Throws std::system_error.
  explicit FolderOwner(std::filesystem::path folder);

  /// Trainings that were started in the folder, this one included: more than any that left a checkpoint there.
  int64_t attempt() const { return attempt_; }
  /// Throws LockedError if somebody else has taken the folder since. A name that cannot be read proves nothing.
  void require() const;
  /// Does `change` to the folder. Throws LockedError as well if that fails because somebody else has taken it
  /// meanwhile.
  void change(const std::function<void()>& change) const;

 private:
  std::filesystem::path folder_;
  int64_t attempt_;
  std::string token_;
};

}  // namespace lockstep
