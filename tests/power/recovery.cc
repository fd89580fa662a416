#include "tests/power/recovery.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "launcher/checkpoint/folder_owner.h"
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
    if (read_file(folder / name) != content->bytes)
      return folder.filename().string() + "/" + name + " is not what was written";
  return "";
}

/// A half checkpoint must not be seen under a checkpoint's name, whether or not it would be taken.
std::string damage_among(const std::vector<StoredCheckpoint>& stored, const Promises& promises) {
  for (const StoredCheckpoint& checkpoint : stored) {
    if (promises.is_damaged(read_file(checkpoint.folder / kManifestName))) continue;
    if (auto difference = difference_to_what_was_written(checkpoint.folder, promises); !difference.empty())
      return "after the power loss " + difference;
  }
  return "";
}

/// Whether a folder with one of these manifests is there, under whatever name, that is as `is_right` wants it.
template <typename Test>
bool is_there(const fs::path& run_folder, const std::set<std::string>& manifests, const Test& is_right) {
  return std::any_of(fs::directory_iterator(run_folder), {}, [&](const fs::directory_entry& entry) {
    return manifests.contains(read_file(entry.path() / kManifestName)) && is_right(entry.path());
  });
}

/// Pinned and damaged checkpoints are never removed.
std::string missing_kept_one(const fs::path& run_folder, const Promises& promises) {
  for (const std::string& manifest : promises.pinned())
    if (!is_there(run_folder, {manifest},
                  [&](const fs::path& found) { return difference_to_what_was_written(found, promises).empty(); }))
      return "a pinned checkpoint is lost";
  for (const auto& [name, manifests] : promises.damaged())
    if (!is_there(run_folder, manifests, [](const fs::path&) { return true; })) return "a damaged checkpoint is lost";
  return "";
}

std::string missing_delivery(const fs::path& root, const Promises& promises) {
  for (const auto& [path, content] : promises.delivered())
    if (read_file(root / path) != content->bytes) return path + " was delivered, and is not whole";
  return "";
}

std::string problem_with_the_model(const fs::path& root, const Promises& promises) {
  const fs::path model = root / promises.model();
  if (!fs::exists(model)) return promises.holds_a_model() ? "no model is left" : "";
  return promises.is_whole_model(read_file(model)) ? "" : "the model is not a whole one";
}

/// The next commit, with the files of the one before, as the program writes it. "" if it is then the newest.
std::string problem_of_going_on(const StoredCheckpoint& from, const fs::path& run_folder) {
  const FolderOwner owner(run_folder);
  CheckpointManifest manifest = *from.manifest;
  manifest.attempt = owner.attempt();
  ++manifest.step;
  const fs::path unfinished = make_unfinished(run_folder, manifest.step);
  for (const ShardEntry& shard : manifest.shards)
    write_hashed(unfinished / shard.file.name, read_file(from.folder / shard.file.name));
  for (const FileReceipt& file : manifest.files)
    write_hashed(unfinished / file.name, read_file(from.folder / file.name));
  write_hashed(unfinished / kManifestName, to_text(manifest));
  const PublishedCheckpoint published = publish_checkpoint(unfinished, run_folder, manifest.step, &owner);
  settle(published);
  for (const fs::path& folder : surplus(list_checkpoints(run_folder), manifest.run, 1, -1))
    remove_checkpoint(folder);
  const StoredCheckpoint next = read_checkpoint(published.folder);
  return next.manifest && !problem_with(next, false) ? "" : "no next checkpoint can be written";
}

/// What is in a folder, without a look into the files: by their numbers.
Tree tree_of(const fs::path& root, const std::unordered_map<ino_t, Content>& contents) {
  Tree tree;
  const std::function<void(const std::string&)> walk = [&](const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir((root / path).c_str()), closedir);
    while (const dirent* entry = readdir(folder.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const bool is_folder = entry->d_type == DT_DIR;
      const auto content = contents.find(entry->d_ino);
      tree[path + name + (is_folder ? "/" : "")] = content == contents.end() ? nullptr : content->second;
      if (is_folder) walk(path + name + "/");
    }
  };
  walk("");
  return tree;
}

template <typename Test>
size_t fingerprint_of(const Tree& tree, const Test& counts) {
  size_t hash = 0;
  for (const auto& [path, content] : tree)
    if (counts(path)) hash = mixed(mixed(hash, std::hash<std::string>{}(path)), content ? content->identity : 0);
  return hash;
}

/// Of what recovery looks at: not the logs and reports beside the checkpoints.
size_t fingerprint_for_recovery(const Tree& tree, const Promises& promises) {
  const std::string run = promises.run_folder() + "/", owner = run + "owner.json", model = promises.model();
  return fingerprint_of(tree, [&](const std::string& path) {
    return !path.starts_with(run) || path.find('/', run.size()) != std::string::npos || path == owner || path == model;
  });
}

}  // namespace

size_t mixed(size_t hash, size_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 32;
}

size_t fingerprint(const Tree& tree) {
  return fingerprint_of(tree, [](const std::string&) { return true; });
}

Recovery::Recovery(bool reads_hashes)
    : reads_hashes_(reads_hashes), state_(folder_.path() / "state"), pool_(folder_.path() / "pool") {
  fs::create_directory(state_);
  fs::create_directory(pool_);
}

/// Only what differs from the state before. Files of equal content are one file with several names: recovery changes
/// none, but replaces them.
void Recovery::lay_out(const Tree& left) {
  constexpr size_t kMostContents = 20000;
  if (contents_.size() > kMostContents) forget_contents();
  remove_what_differs(left);
  for (const auto& [path, content] : left) {
    if (laid_out_.contains(path)) continue;
    if (content)
      link_to(content, path_of(path));
    else
      fs::create_directory(path_of(path.substr(0, path.size() - 1)));
    laid_out_.emplace(path, content);
  }
}

void Recovery::remove_what_differs(const Tree& left) {
  const auto identity = [](const Content& content) { return content ? content->identity : 0; };
  for (auto entry = laid_out_.end(); entry != laid_out_.begin();) {  // what is in a folder before the folder
    --entry;
    const auto wanted = left.find(entry->first);
    if (wanted != left.end() && identity(wanted->second) == identity(entry->second)) continue;
    fs::remove(path_of(entry->first));
    entry = laid_out_.erase(entry);
  }
}

void Recovery::link_to(const Content& content, const fs::path& name) {
  std::string& file = pooled_[content->identity];
  if (file.empty()) {
    file = pool_ / std::to_string(content->identity);
    std::ofstream(file, std::ios::binary) << content->bytes;
    struct stat status {};
    if (stat(file.c_str(), &status) != 0) throw std::runtime_error("cannot write " + file);
    contents_[status.st_ino] = content;
  }
  fs::create_hard_link(file, name);
}

void Recovery::forget_contents() {
  for (const fs::path& folder : {state_, pool_}) {
    fs::remove_all(folder);
    fs::create_directory(folder);
  }
  laid_out_.clear();
  pooled_.clear();
  contents_.clear();
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
  try {
    const fs::path run_folder = path_of(promises.run_folder());
    if (fs::exists(run_folder)) remove_unfinished(run_folder);
    laid_out_ = tree_of(state_, contents_);
    const auto [judgement, is_new] =
        judged_.try_emplace(mixed(fingerprint_for_recovery(laid_out_, promises), promises.version()));
    if (is_new) judgement->second = judge(promises);
    if (is_new) laid_out_ = tree_of(state_, contents_);
    return judgement->second;
  } catch (const std::exception& error) {
    laid_out_ = tree_of(state_, contents_);
    return std::string("recovery fails: ") + error.what();
  }
}

std::string Recovery::judge(const Promises& promises) const {
  const fs::path run_folder = path_of(promises.run_folder());
  const std::vector<StoredCheckpoint> stored = list_checkpoints(run_folder);
  const StoredCheckpoint* const start = chosen(stored);
  if (promises.newest() && start == nullptr) return words_on(*promises.newest()) + " was committed, and none is left";
  if (promises.newest() && age_of(*start) < *promises.newest())
    return words_on(*promises.newest()) + " was committed, and " + words_on(age_of(*start)) + " is left";
  if (start == nullptr && !stored.empty()) return "no checkpoint is valid: the run would not start";
  if (auto damage = damage_among(stored, promises); !damage.empty()) return damage;
  if (auto missing = missing_delivery(state_, promises); !missing.empty()) return missing;
  if (auto problem = problem_with_the_model(state_, promises); !problem.empty()) return problem;
  if (start == nullptr) return "";
  if (auto missing = missing_kept_one(run_folder, promises); !missing.empty()) return missing;
  return problem_of_going_on(*start, run_folder);
}

std::string Recovery::problem_on_a_bad_disk(const Tree& left, const Promises& promises) {
  lay_out(left);
  const std::vector<StoredCheckpoint> stored = list_checkpoints(path_of(promises.run_folder()));
  const StoredCheckpoint* const start = chosen(stored);
  return start == nullptr ? "" : difference_to_what_was_written(start->folder, promises);
}

}  // namespace lockstep::tests
