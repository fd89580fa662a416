#include "tests/power/recovery.h"

#include <algorithm>
#include <fstream>

#include "launcher/checkpoint/manifest.h"

namespace lockstep::tests {

namespace {

namespace fs = std::filesystem;
using Age = Promises::Age;

Age age_of(const StoredCheckpoint& stored) {
  return {stored.manifest->attempt, stored.manifest->step};
}

std::string words_on(const Age& age) {
  return "step " + std::to_string(age.second) + " of attempt " + std::to_string(age.first);
}

/// "" if the folder holds, byte for byte, what the program published with that manifest.
std::string difference_to_what_was_written(const fs::path& folder, const Promises& promises) {
  const Promises::Files* files = promises.files_of(read_file(folder / kManifestName));
  if (files == nullptr) return folder.filename().string() + " has a manifest that nobody published";
  for (const auto& [name, content] : *files)
    if (read_file(folder / name) != *content)
      return folder.filename().string() + "/" + name + " is not what was written";
  return "";
}

/// A half checkpoint must not be seen under a checkpoint's name, whether or not it would be taken.
std::string damage_among(const std::vector<StoredCheckpoint>& stored, const Promises& promises) {
  for (const StoredCheckpoint& checkpoint : stored) {
    if (promises.damaged().contains(promises.run_folder() + "/" + checkpoint.folder.filename().string())) continue;
    if (auto difference = difference_to_what_was_written(checkpoint.folder, promises); !difference.empty())
      return "after the power loss " + difference;
  }
  return "";
}

std::string missing_pinned_one(const fs::path& run_folder, const Promises& promises) {
  for (const std::string& manifest : promises.pinned()) {
    const auto holds_it = [&](const fs::directory_entry& entry) {
      return read_file(entry.path() / kManifestName) == manifest &&
             difference_to_what_was_written(entry.path(), promises).empty();
    };
    if (std::none_of(fs::directory_iterator(run_folder), {}, holds_it)) return "a pinned checkpoint is lost";
  }
  return "";
}

std::string missing_delivery(const fs::path& root, const Promises& promises) {
  for (const auto& [path, content] : promises.delivered())
    if (read_file(root / path) != *content) return path + " was delivered, and is not whole";
  return "";
}

/// The next commit, with the files of the one before, as the program writes it. "" if it is then the newest.
std::string problem_of_going_on(const StoredCheckpoint& from, const fs::path& run_folder) {
  CheckpointManifest manifest = *from.manifest;
  ++manifest.attempt;
  ++manifest.step;
  const fs::path unfinished = make_unfinished(run_folder, manifest.step);
  for (const ShardEntry& shard : manifest.shards)
    write_hashed(unfinished / shard.file.name, read_file(from.folder / shard.file.name));
  for (const FileReceipt& file : manifest.files)
    write_hashed(unfinished / file.name, read_file(from.folder / file.name));
  write_hashed(unfinished / kManifestName, to_text(manifest));
  const fs::path published = publish_checkpoint(unfinished, run_folder, manifest.step);
  for (const fs::path& folder : surplus(list_checkpoints(run_folder), manifest.run, 1, -1))
    remove_checkpoint(folder);
  const StoredCheckpoint next = read_checkpoint(published);
  return next.manifest && !problem_with(next, false) ? "" : "no next checkpoint can be written";
}

}  // namespace

Recovery::Recovery(bool reads_hashes) : reads_hashes_(reads_hashes), state_(folder_.path() / "state") {}

/// Files of equal content are one file with several names: recovery changes none, but replaces them.
void Recovery::lay_out(const Tree& left) {
  fs::remove_all(state_);
  fs::create_directory(state_);
  for (const auto& [path, content] : left) {
    if (!content) {
      fs::create_directory(path_of(path.substr(0, path.size() - 1)));
      continue;
    }
    fs::path& file = contents_[content.get()];
    if (file.empty()) {
      file = folder_.path() / std::to_string(contents_.size());
      std::ofstream(file, std::ios::binary) << *content;
      held_.push_back(content);
    }
    fs::create_hard_link(file, path_of(path));
  }
}

std::optional<std::string> Recovery::problem_of(const StoredCheckpoint& stored) const {
  return problem_with(stored, reads_hashes_);
}

const StoredCheckpoint* Recovery::chosen(const std::vector<StoredCheckpoint>& stored) const {
  const auto found = std::ranges::find_if(stored, [&](const StoredCheckpoint& one) { return !problem_of(one); });
  return found == stored.end() ? nullptr : &*found;
}

std::string Recovery::problem_after(const Tree& left, const Promises& promises) {
  lay_out(left);
  const fs::path run_folder = path_of(promises.run_folder());
  if (fs::exists(run_folder)) remove_unfinished(run_folder);
  const std::vector<StoredCheckpoint> stored = list_checkpoints(run_folder);
  const StoredCheckpoint* const start = chosen(stored);
  if (promises.newest() && start == nullptr) return words_on(*promises.newest()) + " was committed, and none is left";
  if (promises.newest() && age_of(*start) < *promises.newest())
    return words_on(*promises.newest()) + " was committed, and " + words_on(age_of(*start)) + " is left";
  if (start == nullptr && !stored.empty()) return "no checkpoint is valid: the run would not start";
  if (auto damage = damage_among(stored, promises); !damage.empty()) return damage;
  if (auto missing = missing_delivery(state_, promises); !missing.empty()) return missing;
  if (start == nullptr) return "";
  if (auto missing = missing_pinned_one(run_folder, promises); !missing.empty()) return missing;
  return problem_of_going_on(*start, run_folder);
}

std::string Recovery::problem_on_a_bad_disk(const Tree& left, const Promises& promises) {
  lay_out(left);
  const std::vector<StoredCheckpoint> stored = list_checkpoints(path_of(promises.run_folder()));
  const StoredCheckpoint* const start = chosen(stored);
  return start == nullptr ? "" : difference_to_what_was_written(start->folder, promises);
}

}  // namespace lockstep::tests
