#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launcher/checkpoint/folder_owner.h"
#include "launcher/checkpoint/manifest.h"

namespace lockstep {

/// A folder checkpoint-N as it was found.
struct StoredCheckpoint {
  std::filesystem::path folder;
  std::optional<CheckpointManifest> manifest;
  std::string problem;  // why there is no manifest
};

/// "checkpoint-188".
std::string checkpoint_name(int64_t step);

/// Reads `folder`/manifest.json. Its files are not looked at.
StoredCheckpoint read_checkpoint(const std::filesystem::path& folder);

/// The records of all that was logged, a line of JSON each, of a checkpoint that has a manifest. Throws DataError if
/// the file cannot be read.
std::string history_of(const StoredCheckpoint& checkpoint);

/// Every folder checkpoint-N of a run folder: first those without a sound manifest, then the newest (the last started
/// training's, and of that the last step) to the oldest. Empty if there is no such folder.
std::vector<StoredCheckpoint> list_checkpoints(const std::filesystem::path& run_folder);

/// `folder` alone if it is a checkpoint itself, else those in it.
std::vector<StoredCheckpoint> checkpoints_at(const std::filesystem::path& folder);

/// What is wrong with a checkpoint, first its manifest and then each file; nothing if it is valid. With `hashes`, every
/// byte is read, and `on_progress`, if given, called after every MiB; without, only sizes are looked at.
std::optional<std::string> problem_with(const StoredCheckpoint& checkpoint, bool hashes,
                                        const std::function<void()>& on_progress = {});

/// A new, empty folder in which a checkpoint grows. Throws std::system_error.
std::filesystem::path make_unfinished(const std::filesystem::path& run_folder, int64_t step);
/// Gives every checkpoint that an earlier process had moved aside, and whose successor never came to its name, its name
/// back, and removes what else it left unfinished. For the holder of the run folder's lock. Returns what cannot be
/// removed, and why; throws std::system_error if a checkpoint cannot get its name back.
std::vector<std::string> remove_unfinished(const std::filesystem::path& run_folder);

/// A checkpoint that has its name.
struct PublishedCheckpoint {
  std::filesystem::path folder;
  std::filesystem::path replaced;  // the hidden name of the one that had it before; empty if there was none
};

/// Makes a finished folder, whose files are flushed, the checkpoint of that step, by rename. One that is there already
/// is replaced if it is this run's of that step and whole, or else moved aside: if it is damaged or pinned, was renamed
/// by hand or, unless `replaces_others`, is another run's. Throws std::system_error, and LockedError if `owner` has
/// lost the run folder, or has in the last moment: a newer attempt's checkpoint keeps its name.
PublishedCheckpoint publish_checkpoint(const std::filesystem::path& unfinished, const std::filesystem::path& run_folder,
                                       int64_t step, const FolderOwner* owner = nullptr, bool replaces_others = false);
/// The name is for good, and then what was replaced is removed. Throws std::system_error if the disk does not take the
/// name: what was replaced may then be what is found under it after a power loss, and is left to remove_unfinished().
void settle(const PublishedCheckpoint& published);

/// Whether somebody put a file "pinned" into it, or a link to it in its place, so that it is never removed.
bool is_pinned(const std::filesystem::path& checkpoint);

/// Gives a checkpoint that must neither count nor be removed another name, which begins with its own: "checkpoint-14"
/// becomes "checkpoint-14.WHY-1".
void keep_aside(const std::filesystem::path& checkpoint, const std::string& why);

/// Which ones of `stored` to remove so that `limit` (0: all) newest sound ones of training `run` are left, and the one
/// of `best_step` if there is one. Never the newest, nor pinned ones, those of other trainings, damaged ones, nor such
/// as were copied or renamed by hand.
std::vector<std::filesystem::path> surplus(const std::vector<StoredCheckpoint>& stored, const std::string& run,
                                           int64_t limit, int64_t best_step);
/// Removes a checkpoint so that it is never taken for one again, wherever this is interrupted.
void remove_checkpoint(const std::filesystem::path& folder);

}  // namespace lockstep
