#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/power/disk.h"

namespace lockstep::tests {

/// What a program has promised at a moment of its record: which a power loss must not take back.
class Promises {
 public:
  /// The attempt and the step of a checkpoint: the greater is the newer one.
  using Age = std::pair<int64_t, int64_t>;
  using Files = std::map<std::string, Content>;

  explicit Promises(std::string run_folder) : run_(std::move(run_folder)) {}

  /// To be told of each operation, after the disk.
  void observe(const Operation& operation, const Disk& disk);

  const std::string& run_folder() const { return run_; }
  /// Of the newest checkpoint that was committed.
  const std::optional<Age>& newest() const { return newest_; }
  /// The files that a checkpoint with this manifest consists of; nothing if nobody wrote it.
  const Files* files_of(const std::string& manifest) const;
  /// Manifests of checkpoints that are to be kept, whatever their names.
  const std::set<std::string>& pinned() const { return pinned_; }
  /// Of checkpoints that somebody damaged, the manifests that they may have: the sound one, and what became of it.
  const std::map<std::string, std::set<std::string>>& damaged() const { return damaged_; }
  /// Whether this is a manifest that somebody damaged.
  bool is_damaged(const std::string& manifest) const;
  /// Files that are delivered.
  const Files& delivered() const { return delivered_; }
  /// The run folder's model: always a whole one, and never none again once it was published.
  std::string model() const { return run_ + "/model.safetensors"; }
  bool is_whole_model(const std::string& bytes) const { return models_.contains(bytes); }
  bool holds_a_model() const { return holds_a_model_; }
  /// Changes with the promises.
  size_t version() const { return version_; }

 private:
  void note_damage(const Disk& disk);
  void note_model(const std::string& path, const Disk& disk);
  void note_version(const std::string& folder, const Disk& disk);
  void note_mark(const std::string& word, const std::string& path, const Disk& disk);

  std::string run_, damaging_;
  std::optional<Age> newest_;
  std::map<std::string, Files> files_;
  std::set<std::string> pinned_, models_;
  std::map<std::string, std::set<std::string>> damaged_;
  bool holds_a_model_ = false;
  Files delivered_;
  size_t version_ = 0;
};

/// The record with a mark "committed" at each moment at which a checkpoint is promised to stay: when the run folder is
/// flushed after the checkpoint got its name. docs/checkpoints.md, "How one is written". Likewise "published" for the
/// model: docs/decisions/one-owner-of-the-output.md.
Record with_commits(const Record& record, const std::string& run_folder);

/// Whether the operation gives a finished folder of `run_folder` the name of a checkpoint.
bool publishes(const Operation& operation, const std::string& run_folder);

/// By number, the paths of what was opened: folders end in "/".
std::map<uint64_t, std::string> opened_paths(const Record& record);

}  // namespace lockstep::tests
