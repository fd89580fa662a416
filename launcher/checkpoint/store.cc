#include "launcher/checkpoint/store.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <random>
#include <system_error>
#include <tuple>

#include "data/atomic_file.h"
#include "data/error.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/errors.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kReplaced = ".replaced-";

/// N of "checkpoint-N"; -1 for other names.
int64_t step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(kPrefix)) return -1;
  int64_t step = -1;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return error == std::errc() && stop == end ? step : -1;
}

/// Names that start with a dot are never taken for checkpoints, and are this program's to remove.
fs::path hidden_name(const fs::path& run_folder, const std::string& name, const char* purpose) {
  std::random_device random;
  return run_folder / formatted(".%s.%s-%08x", name.c_str(), purpose, random());
}

bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.starts_with(".model-part-") || name == ".best-model-part") return true;
  return name.starts_with(".checkpoint-") &&
         (name.find(".writing-") != std::string::npos || name.find(".removing-") != std::string::npos ||
          name.find(kReplaced) != std::string::npos);
}

auto age_of(const StoredCheckpoint& checkpoint) {
  const bool sound = checkpoint.manifest.has_value();
  return std::tuple(sound ? 1 : 0, sound ? -checkpoint.manifest->attempt : 0,
                    sound ? -checkpoint.manifest->step : -step_of(checkpoint.folder));
}

/// Why the checkpoint that has the name which `ours` needs must not be removed: the word for its new name; "" if it
/// may.
std::string reason_to_keep(const StoredCheckpoint& there, const CheckpointManifest& ours, bool replaces_others) {
  if (!there.manifest) return "damaged";
  if (is_pinned(there.folder)) return "pinned";
  const bool is_renamed = there.manifest->step != ours.step;  // by hand
  if (is_renamed || (there.manifest->run != ours.run && !replaces_others)) return "other";
  return problem_with(there, true) ? "damaged" : "";
}

bool cannot_exchange(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

/// A renaming that a file system across a network has done may be reported as failed, when its answer was lost.
std::error_code rename_finished(const fs::path& unfinished, const fs::path& target, const CheckpointManifest& ours) {
  std::error_code error, ignored;
  fs::rename(unfinished, target, error);
  if (!error || fs::exists(fs::symlink_status(unfinished, ignored))) return error;
  const auto there = read_checkpoint(target).manifest;
  const bool is_ours = there && there->run == ours.run && there->attempt == ours.attempt && there->step == ours.step;
  return is_ours ? std::error_code() : error;
}

/// If `unfinished` is gone, since the run has gone on elsewhere, `target` is to stay what it was.
void rename_or_undo(const fs::path& unfinished, const fs::path& target, const fs::path& old,
                    const CheckpointManifest& ours) {
  const std::error_code error = rename_finished(unfinished, target, ours);
  if (!error) return;
  fs::rename(old, target);
  throw std::system_error(error, unfinished.string());
}

/// Somebody who has taken over the run folder may have been faster. What is newer gets its name back.
void require_older(const fs::path& replaced, const fs::path& target) {
  const auto theirs = read_checkpoint(replaced).manifest, ours = read_checkpoint(target).manifest;
  if (!theirs || !ours || theirs->attempt <= ours->attempt || !data::exchange_names(replaced, target)) return;
  throw LockedError(target.string() + " is there already, of a newer attempt: another job has taken over the folder");
}

/// At every moment one of the two has the name `target`, where the file system can exchange names. Elsewhere the old
/// one may be left without it: put_back() then. Returns the old one's hidden name.
fs::path take_the_place_of(const fs::path& target, const fs::path& unfinished, const CheckpointManifest& ours) {
  if (data::exchange_names(unfinished, target)) {
    require_older(unfinished, target);
    failpoint("exchanged");
    return unfinished;
  }
  if (!cannot_exchange(errno)) throw std::system_error(errno, std::generic_category(), unfinished.string());
  fs::path old = hidden_name(target.parent_path(), target.filename().string(), "replaced");
  fs::rename(target, old);
  rename_or_undo(unfinished, target, old, ours);
  return old;
}

/// Of a checkpoint that lost its name to one that never came. False if the folder is none.
bool put_back(const fs::path& hidden) {
  const std::string name = hidden.filename().string();
  const size_t end = name.find(kReplaced);
  if (end == std::string::npos) return false;
  const fs::path target = hidden.parent_path() / name.substr(1, end - 1);
  if (fs::exists(fs::symlink_status(target))) return false;
  fs::rename(hidden, target);
  return true;
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  return std::string(kPrefix) + std::to_string(step);
}

StoredCheckpoint read_checkpoint(const fs::path& folder) {
  StoredCheckpoint found{folder, std::nullopt, ""};
  std::error_code none;
  if (fs::is_fifo(folder / kManifestName, none)) {  // who reads it waits until somebody writes
    found.problem = std::string(kManifestName) + ": is not a file";
    return found;
  }
  try {
    found.manifest = parse_manifest(data::read_file(folder / kManifestName, kMaxManifestBytes));
  } catch (const CheckpointError& error) {
    found.problem = std::string(kManifestName) + ": " + error.what();
  } catch (const data::DataError& error) {
    found.problem = error.what();
  }
  return found;
}

std::string history_of(const StoredCheckpoint& checkpoint) {
  const auto in_manifest = checkpoint.manifest->training.find("history");
  if (in_manifest == checkpoint.manifest->training.end()) return data::read_file(checkpoint.folder / kHistoryName);
  std::string lines;
  for (const nlohmann::json& record : *in_manifest)
    lines += record.dump() + "\n";
  return lines;
}

std::vector<StoredCheckpoint> list_checkpoints(const fs::path& run_folder) {
  std::vector<StoredCheckpoint> found;
  if (std::error_code none; !fs::is_directory(run_folder, none)) return found;
  std::error_code ignored;  // a link that leads nowhere is no folder
  for (const auto& entry : fs::directory_iterator(run_folder))
    if (step_of(entry.path()) >= 0 && entry.is_directory(ignored)) found.push_back(read_checkpoint(entry.path()));
  std::sort(found.begin(), found.end(),
            [](const StoredCheckpoint& a, const StoredCheckpoint& b) { return age_of(a) < age_of(b); });
  return found;
}

std::vector<StoredCheckpoint> checkpoints_at(const fs::path& folder) {
  if (fs::exists(folder / kManifestName)) return {read_checkpoint(folder)};
  return list_checkpoints(folder);
}

std::optional<std::string> problem_with(const StoredCheckpoint& checkpoint, bool hashes,
                                        const std::function<void()>& on_progress) {
  if (!checkpoint.manifest) return checkpoint.problem;
  std::vector<FileReceipt> files = checkpoint.manifest->files;
  for (const ShardEntry& shard : checkpoint.manifest->shards)
    files.push_back(shard.file);
  for (const FileReceipt& file : files)
    if (auto problem =
            hashes ? problem_with(checkpoint.folder, file, on_progress) : problem_with_size(checkpoint.folder, file))
      return problem;
  return std::nullopt;
}

fs::path make_unfinished(const fs::path& run_folder, int64_t step) {
  fs::path folder = hidden_name(run_folder, checkpoint_name(step), "writing");
  fs::create_directory(folder);
  return folder;
}

std::vector<std::string> remove_unfinished(const fs::path& run_folder) {
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(run_folder))
    if (is_hidden(entry.path())) leftovers.push_back(entry.path());
  std::erase_if(leftovers, put_back);  // all of them before anything is removed, which may fail
  std::vector<std::string> problems;
  for (const fs::path& leftover : leftovers) {
    std::error_code error;
    fs::remove_all(leftover, error);
    if (error) problems.push_back(leftover.string() + ": " + error.message());
  }
  return problems;
}

PublishedCheckpoint publish_checkpoint(const fs::path& unfinished, const fs::path& run_folder, int64_t step,
                                       const FolderOwner* owner, bool replaces_others) {
  fs::path target = run_folder / checkpoint_name(step);
  data::flush_to_disk(unfinished);
  failpoint("folder-flushed");
  const std::optional<CheckpointManifest> ours = read_checkpoint(unfinished).manifest;
  if (!ours) throw std::system_error(ENOENT, std::generic_category(), (unfinished / kManifestName).string());
  const bool is_taken = fs::exists(fs::symlink_status(target));
  const std::string why = is_taken ? reason_to_keep(read_checkpoint(target), *ours, replaces_others) : "";
  if (owner != nullptr) owner->require();  // only now: whoever has left one there since was here before
  if (!why.empty()) keep_aside(target, why);
  failpoint("before-rename");
  if (is_taken && why.empty()) return {target, take_the_place_of(target, unfinished, *ours)};
  if (const std::error_code error = rename_finished(unfinished, target, *ours))
    throw std::system_error(error, unfinished.string());
  return {target, {}};
}

void settle(const PublishedCheckpoint& published) {
  failpoint("after-rename");
  data::flush_to_disk(published.folder.parent_path());
  std::error_code leftover;  // the new one is committed; the rest of the old one is the next run's to remove
  if (!published.replaced.empty()) fs::remove_all(published.replaced, leftover);
}

bool is_pinned(const fs::path& checkpoint) {
  std::error_code ignored;
  return fs::is_symlink(fs::symlink_status(checkpoint, ignored)) ||
         fs::exists(fs::symlink_status(checkpoint / "pinned", ignored));
}

void keep_aside(const fs::path& checkpoint, const std::string& why) {
  for (int i = 1;; ++i) {
    fs::path aside = checkpoint;
    aside += formatted(".%s-%d", why.c_str(), i);
    if (!fs::exists(fs::symlink_status(aside))) return fs::rename(checkpoint, aside);
  }
}

std::vector<fs::path> surplus(const std::vector<StoredCheckpoint>& stored, const std::string& run, int64_t limit,
                              int64_t best_step) {
  std::vector<fs::path> removable;
  if (limit <= 0) return removable;
  int64_t kept = 0;
  for (const StoredCheckpoint& checkpoint : stored) {  // newest first
    if (!checkpoint.manifest || checkpoint.manifest->run != run || problem_with(checkpoint, false)) continue;
    if (step_of(checkpoint.folder) != checkpoint.manifest->step) continue;  // somebody's copy
    if (kept < limit)
      ++kept;
    else if (checkpoint.manifest->step != best_step && !is_pinned(checkpoint.folder))
      removable.push_back(checkpoint.folder);
  }
  return removable;
}

void remove_checkpoint(const fs::path& folder) {
  const fs::path hidden = hidden_name(folder.parent_path(), folder.filename().string(), "removing");
  fs::rename(folder, hidden);
  data::flush_to_disk(folder.parent_path());  // else a power loss may leave half of it under its own name
  failpoint("removing");
  fs::remove(hidden / kManifestName);
  failpoint("removing-rest");
  fs::remove_all(hidden);
}

}  // namespace lockstep
