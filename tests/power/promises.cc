#include "tests/power/promises.h"

#include <algorithm>

#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/manifest.h"

namespace lockstep::tests {

namespace {

using Kind = Operation::Kind;

Promises::Files files_below(const Tree& tree, const std::string& folder) {
  Promises::Files files;
  for (auto entry = tree.lower_bound(folder + "/"); entry != tree.end() && entry->first.starts_with(folder + "/");
       ++entry)
    if (entry->second) files[entry->first.substr(folder.size() + 1)] = entry->second;
  return files;
}

/// Of what was committed under that name without a manifest, only the name tells.
Promises::Age age_of(const Promises::Files& files, const std::string& folder) {
  const auto manifest = files.find(kManifestName);
  if (manifest == files.end()) return {1, std::stoll(folder.substr(folder.rfind('-') + 1))};
  const CheckpointManifest parsed = parse_manifest(manifest->second->bytes);
  return {parsed.attempt, parsed.step};
}

}  // namespace

void Promises::observe(const Operation& operation, const Disk& disk) {
  if (publishes(operation, run_)) note_version(operation.other, disk);
  if (operation.kind == Kind::kRename && operation.other == model()) note_model(operation.other, disk);
  if (operation.kind == Kind::kMark) note_mark(operation.bytes, operation.path, disk);
  if (!damaging_.empty()) note_damage(disk);
}

const Promises::Files* Promises::files_of(const std::string& manifest) const {
  const auto found = files_.find(manifest);
  return found == files_.end() ? nullptr : &found->second;
}

bool Promises::is_damaged(const std::string& manifest) const {
  return files_of(manifest) == nullptr &&
         std::ranges::any_of(damaged_, [&](const auto& damaged) { return damaged.second.contains(manifest); });
}

void Promises::note_damage(const Disk& disk) {
  const std::string manifest = disk.seen().at(damaging_ + "/" + kManifestName)->bytes;
  if (damaged_[damaging_].insert(manifest).second) ++version_;
}

void Promises::note_model(const std::string& path, const Disk& disk) {
  const Tree tree = disk.seen();
  if (const auto found = tree.find(path); found != tree.end()) models_.insert(found->second->bytes);
  ++version_;
}

void Promises::note_version(const std::string& folder, const Disk& disk) {
  const Files files = files_below(disk.seen(), folder);
  if (const auto manifest = files.find(kManifestName); manifest != files.end()) files_[manifest->second->bytes] = files;
  ++version_;
}

void Promises::note_mark(const std::string& word, const std::string& path, const Disk& disk) {
  const Tree tree = disk.seen();
  if (word == "committed") note_version(path, disk);
  if (word == "committed") newest_ = std::max(newest_.value_or(Age{}), age_of(files_below(tree, path), path));
  if (word == "pinned") pinned_.insert(tree.at(path + "/" + kManifestName)->bytes);
  if (word == "damaging") damaging_ = path;
  if (word == "damaged") damaging_.clear();
  if (word == "published") holds_a_model_ = true;
  if (word == "delivered") delivered_[path] = tree.at(path);
  if (word == "replacing") delivered_.erase(path);
  ++version_;
}

bool publishes(const Operation& operation, const std::string& run_folder) {
  return (operation.kind == Kind::kRename || operation.kind == Kind::kExchange) &&
         operation.path.starts_with(run_folder + "/.checkpoint-") &&
         operation.other.starts_with(run_folder + "/checkpoint-");
}

std::map<uint64_t, std::string> opened_paths(const Record& record) {
  std::map<uint64_t, std::string> paths;
  for (const Operation& operation : record)
    if (operation.kind == Kind::kOpen || operation.kind == Kind::kCreate)
      paths[operation.file] = operation.path + (operation.number == 1 ? "/" : "");
  return paths;
}

Record with_commits(const Record& record, const std::string& run_folder) {
  const auto paths = opened_paths(record);
  const std::string model = run_folder + "/model.safetensors";
  Record marked;
  std::map<std::string, std::string> waiting;  // word and path, for the next flush
  for (const Operation& operation : record) {
    marked.push_back(operation);
    if (publishes(operation, run_folder)) waiting["committed"] = operation.other;
    if (operation.kind == Kind::kRename && operation.other == model) waiting["published"] = model;
    if (operation.kind != Kind::kFlush || paths.at(operation.file) != run_folder + "/") continue;
    for (const auto& [word, path] : waiting)
      marked.push_back({Kind::kMark, 0, 0, path, "", word});
    waiting.clear();
  }
  return marked;
}

}  // namespace lockstep::tests
