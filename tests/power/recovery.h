#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <unordered_map>

#include "launcher/checkpoint/store.h"
#include "tests/power/promises.h"
#include "tests/support/process.h"

namespace lockstep::tests {

/// Of what is there.
size_t fingerprint(const Tree& tree);
/// Of a fingerprint and whatever else makes a difference.
size_t mixed(size_t hash, size_t value);

/// Lays out what a power loss left as real files, and lets the program's own code find a checkpoint in them.
class Recovery {
 public:
  /// `reads_hashes` false: a program that believes sizes. For the proof that this is found.
  explicit Recovery(bool reads_hashes = true);

  /// What is broken of the promises after this power loss; "" if nothing is, and if the run can go on. Each state is
  /// laid out, and cleared up by the program. Where that leaves, under the same promises, what it left of an earlier
  /// state, the judgement is the earlier one.
  std::string problem_after(const Tree& left, const Promises& promises);
  /// The same of a disk that has lost what it said was written: nothing can be promised then, but that nothing wrong is
  /// taken for right.
  std::string problem_on_a_bad_disk(const Tree& left, const Promises& promises);

  /// How many judgements there were, each of other files or under other promises.
  int64_t judgements() const { return std::ssize(judged_); }

 private:
  void lay_out(const Tree& left);
  void remove_what_differs(const Tree& left);
  void link_to(const Content& content, const std::filesystem::path& name);
  void forget_contents();
  Tree found() const;
  std::string judge(const Promises& promises) const;
  std::filesystem::path path_of(const std::string& name) const { return state_ / name; }
  std::optional<std::string> problem_of(const StoredCheckpoint& stored) const;
  const StoredCheckpoint* chosen(const std::vector<StoredCheckpoint>& stored) const;

  bool reads_hashes_;
  TemporaryFolder folder_;
  std::filesystem::path state_, pool_;
  Tree laid_out_;                                   // what is in `state_`
  std::unordered_map<size_t, std::string> pooled_;  // by identity of content, files that hold it
  std::unordered_map<ino_t, Content> contents_;     // of these files, and so of those in `state_`
  std::unordered_map<size_t, std::string> judged_;  // what was broken, by fingerprint
};

}  // namespace lockstep::tests
