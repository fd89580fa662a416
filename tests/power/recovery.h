#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>

#include "launcher/checkpoint/store.h"
#include "tests/power/promises.h"
#include "tests/support/process.h"

namespace lockstep::tests {

/// Lays out what a power loss left as real files, and lets the program's own code find a checkpoint in them.
class Recovery {
 public:
  /// `reads_hashes` false: a program that believes sizes. For the proof that this is found.
  explicit Recovery(bool reads_hashes = true);

  /// What is broken of the promises after this power loss; "" if nothing is, and if the run can go on.
  std::string problem_after(const Tree& left, const Promises& promises);
  /// The same of a disk that has lost what it said was written: nothing can be promised then, but that nothing wrong is
  /// taken for right.
  std::string problem_on_a_bad_disk(const Tree& left, const Promises& promises);

 private:
  void lay_out(const Tree& left);
  std::filesystem::path path_of(const std::string& name) const { return state_ / name; }
  std::optional<std::string> problem_of(const StoredCheckpoint& stored) const;
  const StoredCheckpoint* chosen(const std::vector<StoredCheckpoint>& stored) const;

  bool reads_hashes_;
  TemporaryFolder folder_;
  std::filesystem::path state_;
  std::unordered_map<const std::string*, std::filesystem::path> contents_;  // files that hold them
  std::vector<Content> held_;                                               // so that no address is used again
};

}  // namespace lockstep::tests
