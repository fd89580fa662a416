#include "launcher/checkpoint/store.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <tuple>

#include "data/atomic_file.h"
#include "data/error.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/failpoint.h"
#include "launcher/format.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "checkpoint-";

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
  return name.starts_with(".checkpoint-") &&
         (name.find(".writing-") != std::string::npos || name.find(".removing-") != std::string::npos);
}

auto age_of(const StoredCheckpoint& checkpoint) {
  const bool sound = checkpoint.manifest.has_value();
  return std::tuple(sound ? 1 : 0, sound ? -checkpoint.manifest->attempt : 0,
                    sound ? -checkpoint.manifest->step : -step_of(checkpoint.folder));
}

/// A damaged or a pinned one is never removed, but its name is needed.
void keep_aside(const fs::path& checkpoint, const char* why) {
  for (int i = 1;; ++i) {
    fs::path aside = checkpoint;
    aside += formatted(".%s-%d", why, i);
    if (!fs::exists(fs::symlink_status(aside))) return fs::rename(checkpoint, aside);
  }
}

/// At every moment one of the two has the name `target`, where the file system can exchange names.
void take_the_place_of(const fs::path& target, const fs::path& unfinished) {
  const fs::path old = hidden_name(target.parent_path(), target.filename().string(), "removing");
  if (::renameat2(AT_FDCWD, unfinished.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    failpoint("exchanged");
    fs::rename(unfinished, old);
  } else {
    fs::rename(target, old);
    fs::rename(unfinished, target);
  }
  fs::remove_all(old);
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  return std::string(kPrefix) + std::to_string(step);
}

StoredCheckpoint read_checkpoint(const fs::path& folder) {
  StoredCheckpoint found{folder, std::nullopt, ""};
  try {
    found.manifest = parse_manifest(data::read_file(folder / kManifestName, kMaxManifestBytes));
  } catch (const CheckpointError& error) {
    found.problem = std::string(kManifestName) + ": " + error.what();
  } catch (const data::DataError& error) {
    found.problem = error.what();
  }
  return found;
}

std::vector<StoredCheckpoint> list_checkpoints(const fs::path& run_folder) {
  std::vector<StoredCheckpoint> found;
  if (!fs::is_directory(run_folder)) return found;
  for (const auto& entry : fs::directory_iterator(run_folder))
    if (step_of(entry.path()) >= 0 && entry.is_directory()) found.push_back(read_checkpoint(entry.path()));
  std::sort(found.begin(), found.end(),
            [](const StoredCheckpoint& a, const StoredCheckpoint& b) { return age_of(a) < age_of(b); });
  return found;
}

std::vector<StoredCheckpoint> checkpoints_at(const fs::path& folder) {
  if (fs::exists(folder / kManifestName)) return {read_checkpoint(folder)};
  return list_checkpoints(folder);
}

std::optional<std::string> problem_with(const StoredCheckpoint& checkpoint, bool hashes) {
  if (!checkpoint.manifest) return checkpoint.problem;
  std::vector<FileReceipt> files = checkpoint.manifest->files;
  for (const ShardEntry& shard : checkpoint.manifest->shards)
    files.push_back(shard.file);
  for (const FileReceipt& file : files)
    if (auto problem = hashes ? problem_with(checkpoint.folder, file) : problem_with_size(checkpoint.folder, file))
      return problem;
  return std::nullopt;
}

fs::path make_unfinished(const fs::path& run_folder, int64_t step) {
  fs::path folder = hidden_name(run_folder, checkpoint_name(step), "writing");
  fs::create_directory(folder);
  return folder;
}

void remove_unfinished(const fs::path& run_folder) {
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(run_folder))
    if (is_hidden(entry.path()) && entry.is_directory()) leftovers.push_back(entry.path());
  for (const fs::path& leftover : leftovers)
    fs::remove_all(leftover);
}

fs::path publish_checkpoint(const fs::path& unfinished, const fs::path& run_folder, int64_t step) {
  fs::path target = run_folder / checkpoint_name(step);
  data::flush_to_disk(unfinished);
  const bool is_taken = fs::exists(fs::symlink_status(target));
  const bool is_sound = is_taken && read_checkpoint(target).manifest;
  const bool is_removable = is_sound && !is_pinned(target);
  if (is_taken && !is_removable) keep_aside(target, is_sound ? "pinned" : "damaged");
  failpoint("before-rename");
  if (is_removable)
    take_the_place_of(target, unfinished);
  else
    fs::rename(unfinished, target);
  failpoint("after-rename");
  data::flush_to_disk(run_folder);
  return target;
}

bool is_pinned(const fs::path& checkpoint) {
  return fs::exists(fs::symlink_status(checkpoint / "pinned"));
}

std::vector<fs::path> surplus(const std::vector<StoredCheckpoint>& stored, const std::string& run, int64_t limit,
                              int64_t best_step) {
  std::vector<fs::path> removable;
  if (limit <= 0) return removable;
  int64_t kept = 0;
  for (const StoredCheckpoint& checkpoint : stored) {  // newest first
    if (!checkpoint.manifest || checkpoint.manifest->run != run || problem_with(checkpoint, false)) continue;
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
  failpoint("removing");
  fs::remove(hidden / kManifestName);
  failpoint("removing-rest");
  fs::remove_all(hidden);
}

}  // namespace lockstep
