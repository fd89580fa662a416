#include "tests/power/disk.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace lockstep::tests {

namespace {

using Kind = Operation::Kind;
constexpr int kNone = -1;
constexpr uint64_t kPage = 4096;  // what a system's cache brings to a disk at a time

void write_into(std::string& whole, uint64_t offset, std::string_view bytes) {
  if (whole.size() < offset + bytes.size()) whole.resize(offset + bytes.size());
  whole.replace(offset, bytes.size(), bytes);
}

std::string left_of(std::string bytes, Fate fate) {
  if (fate == Fate::kTorn) bytes.resize(bytes.size() / 2);
  if (fate == Fate::kZeroed) bytes.assign(bytes.size(), '\0');
  return bytes;
}

void put(std::map<std::string, int>& names, const std::string& name, int node) {
  if (node == kNone)
    names.erase(name);
  else
    names[name] = node;
}

}  // namespace

Disk::Disk() {
  new_node(true);
}

int Disk::new_node(bool is_folder) {
  nodes_.emplace_back().is_folder = is_folder;
  nodes_.back().kept = nodes_.back().content = content_of("");
  return static_cast<int>(nodes_.size()) - 1;
}

std::optional<int> Disk::find(const std::string& path) const {
  if (path == ".") return 0;
  const auto place = place_of(path);
  return place ? node_at(*place) : std::nullopt;
}

std::optional<Disk::Place> Disk::place_of(const std::string& path) const {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return Place{0, path};
  const std::optional<int> folder = find(path.substr(0, slash));
  if (!folder) return std::nullopt;
  return Place{*folder, path.substr(slash + 1)};
}

std::optional<int> Disk::node_at(const Place& place) const {
  const Names& names = nodes_[static_cast<size_t>(place.folder)].names;
  const auto found = names.find(place.name);
  if (found == names.end()) return std::nullopt;
  return found->second;
}

void Disk::apply(const Operation& operation, bool lenient) {
  outcomes_.clear();
  if (!try_apply(operation) && !lenient)
    throw std::runtime_error(
        "an operation that this disk does not allow: " + std::to_string(static_cast<uint32_t>(operation.kind)) + " " +
        operation.path + " " + operation.other);
}

bool Disk::try_apply(const Operation& operation) {
  switch (operation.kind) {
    case Kind::kCreate:
      return make(operation, false);
    case Kind::kMakeFolder:
      return make(operation, true);
    case Kind::kOpen:
      return open(operation);
    case Kind::kWrite:
      return write(operation);
    case Kind::kResize:
      return resize(operation);
    case Kind::kFlush:
      return flush(operation.file);
    case Kind::kRemoveFolder:
    case Kind::kUnlink:
      return remove(operation.path);
    case Kind::kRename:
      return rename(operation.path, operation.other);
    case Kind::kExchange:
      return exchange(operation.path, operation.other);
    case Kind::kLink:
      return link(operation.path, operation.other);
    case Kind::kMark:
      return true;
  }
  return false;
}

bool Disk::make(const Operation& operation, bool is_folder) {
  const auto place = place_of(operation.path);
  if (!place || node_at(*place)) return false;
  const int node = new_node(is_folder);
  change_names({{place->folder, place->name, node}});
  if (!is_folder) opened_[operation.file] = node;
  return true;
}

bool Disk::open(const Operation& operation) {
  const auto node = find(operation.path);
  if (node) opened_[operation.file] = *node;
  return node.has_value();
}

bool Disk::remove(const std::string& path) {
  const auto place = place_of(path);
  const auto node = place ? node_at(*place) : std::nullopt;
  if (!node || !nodes_[static_cast<size_t>(*node)].names.empty()) return false;
  change_names({{place->folder, place->name, kNone}});
  return true;
}

bool Disk::rename(const std::string& from, const std::string& to) {
  const auto source = place_of(from), target = place_of(to);
  const auto node = source ? node_at(*source) : std::nullopt;
  if (!node || !target) return false;
  const auto there = node_at(*target);
  if (there && !nodes_[static_cast<size_t>(*there)].names.empty()) return false;
  change_names({{source->folder, source->name, kNone}, {target->folder, target->name, *node}});
  return true;
}

bool Disk::exchange(const std::string& a, const std::string& b) {
  const auto first = place_of(a), second = place_of(b);
  if (!first || !second || !node_at(*first) || !node_at(*second)) return false;
  change_names({{first->folder, first->name, *node_at(*second)}, {second->folder, second->name, *node_at(*first)}});
  return true;
}

bool Disk::link(const std::string& from, const std::string& to) {
  const auto node = find(from);
  const auto place = place_of(to);
  if (!node || !place || node_at(*place)) return false;
  change_names({{place->folder, place->name, *node}});
  return true;
}

bool Disk::write(const Operation& operation) {
  const auto found = opened_.find(operation.file);
  if (found == opened_.end()) return false;
  for (uint64_t done = 0; done < operation.bytes.size();) {
    Change change;
    change.file = found->second;
    change.offset = operation.number + done;
    change.bytes = operation.bytes.substr(done, kPage - change.offset % kPage);
    done += change.bytes.size();
    change_file(std::move(change));
  }
  return true;
}

bool Disk::resize(const Operation& operation) {
  const auto found = opened_.find(operation.file);
  if (found == opened_.end()) return false;
  Change change;
  change.file = found->second;
  change.size = operation.number;
  change_file(std::move(change));
  return true;
}

void Disk::change_file(Change change) {
  Content& content = nodes_[static_cast<size_t>(change.file)].content;
  change.number = ++numbers_;
  content = changed(content, change, Fate::kKept);
  changes_.push_back(std::move(change));
}

void Disk::change_names(std::vector<NameChange> changes) {
  for (const NameChange& change : changes)
    put(nodes_[static_cast<size_t>(change.folder)].names, change.name, change.node);
  Change change;
  change.names = std::move(changes);
  change.number = ++numbers_;
  changes_.push_back(std::move(change));
}

void Disk::keep(const Change& change) {
  for (const NameChange& name : change.names)
    put(nodes_[static_cast<size_t>(name.folder)].kept_names, name.name, name.node);
  if (!change.is_of_file()) return;
  Content& kept = nodes_[static_cast<size_t>(change.file)].kept;
  kept = changed(kept, change, Fate::kKept);
}

/// What belongs to the file or folder, and what must be there before it: earlier changes of the same names.
std::vector<bool> Disk::brought_by_flush_of(int node) const {
  std::vector<bool> brought(changes_.size());
  std::set<std::pair<int, std::string>> needed;
  for (size_t i = changes_.size(); i-- > 0;) {
    const Change& change = changes_[i];
    brought[i] = change.file == node || std::ranges::any_of(change.names, [&](const NameChange& name) {
                   return name.folder == node || needed.contains({name.folder, name.name});
                 });
    if (brought[i])
      for (const NameChange& name : change.names)
        needed.insert({name.folder, name.name});
  }
  return brought;
}

bool Disk::flush(uint64_t file) {
  const auto found = opened_.find(file);
  if (found == opened_.end()) return false;
  const std::vector<bool> brought = brought_by_flush_of(found->second);
  std::vector<Change> rest;
  for (size_t i = 0; i < changes_.size(); ++i)
    if (brought[i])
      keep(changes_[i]);
    else
      rest.push_back(std::move(changes_[i]));
  changes_ = std::move(rest);
  forget_unreachable();
  return true;
}

/// Nodes that have a name on the disk, or may have one after a power loss.
std::set<int> Disk::reachable() const {
  std::map<int, std::set<int>> inner;
  for (const Change& change : changes_)
    for (const NameChange& name : change.names)
      inner[name.folder].insert(name.node);
  std::set<int> found;
  const std::function<void(int)> walk = [&](int node) {
    if (node == kNone || !found.insert(node).second) return;
    for (const auto& [name, below] : nodes_[static_cast<size_t>(node)].kept_names)
      walk(below);
    for (const int below : inner[node])
      walk(below);
  };
  walk(0);
  return found;
}

/// Of what was in a removed folder, nothing can be seen again.
void Disk::forget_unreachable() {
  const std::set<int> found = reachable();
  std::erase_if(changes_, [&](const Change& change) {
    return !found.contains(change.file) &&
           std::ranges::none_of(change.names, [&](const NameChange& name) { return found.contains(name.folder); });
  });
}

Tree Disk::seen() const {
  std::map<int, Names> names;
  std::map<int, Content> contents;
  for (int node = 0; node < std::ssize(nodes_); ++node) {
    names[node] = nodes_[static_cast<size_t>(node)].names;
    contents[node] = nodes_[static_cast<size_t>(node)].content;
  }
  return tree_of(names, contents);
}

std::vector<bool> Disk::changes() const {
  std::vector<bool> changes;
  for (const Change& change : changes_)
    changes.push_back(change.is_of_file() && !change.size);
  return changes;
}

Content Disk::changed(const Content& before, const Change& change, Fate fate) const {
  Content& after = outcomes_[{before->identity, change.number, fate}];
  if (after) return after;
  std::string whole = before->bytes;
  if (change.size)
    whole.resize(*change.size);
  else
    write_into(whole, change.offset, left_of(change.bytes, fate));
  return after = content_of(std::move(whole));
}

/// A later change of a name is not there without an earlier one.
void Disk::lose_what_needs_lost_ones(std::vector<Fate>& fates) const {
  std::set<std::pair<int, std::string>> lost;
  for (size_t i = 0; i < changes_.size(); ++i) {
    const std::vector<NameChange>& names = changes_[i].names;
    if (std::ranges::any_of(names, [&](const auto& name) { return lost.contains({name.folder, name.name}); }))
      fates[i] = Fate::kLost;
    if (fates[i] != Fate::kLost) continue;
    for (const NameChange& name : names)
      lost.insert({name.folder, name.name});
  }
}

Tree Disk::after_power_loss(std::vector<Fate>& fates) const {
  lose_what_needs_lost_ones(fates);
  std::map<int, Names> names;       // of folders with changes
  std::map<int, Content> contents;  // of files with changes
  for (size_t i = 0; i < changes_.size(); ++i) {
    const Change& change = changes_[i];
    if (fates[i] == Fate::kLost) continue;
    for (const NameChange& name : change.names)
      put(names.try_emplace(name.folder, nodes_[static_cast<size_t>(name.folder)].kept_names).first->second, name.name,
          name.node);
    if (!change.is_of_file()) continue;
    Content& content = contents.try_emplace(change.file, nodes_[static_cast<size_t>(change.file)].kept).first->second;
    content = changed(content, change, fates[i]);
  }
  return tree_of(names, contents);
}

/// The nodes that are not in `names` and `contents` are as they are on the disk.
Tree Disk::tree_of(const std::map<int, Names>& names, const std::map<int, Content>& contents) const {
  Tree tree;
  const std::function<void(int, const std::string&)> walk = [&](int folder, const std::string& path) {
    const auto changed_names = names.find(folder);
    const Node& node = nodes_[static_cast<size_t>(folder)];
    for (const auto& [name, inner] : changed_names == names.end() ? node.kept_names : changed_names->second) {
      const Node& found = nodes_[static_cast<size_t>(inner)];
      const auto content = contents.find(inner);
      if (!found.is_folder) {
        tree[path + name] = content == contents.end() ? found.kept : content->second;
        continue;
      }
      tree[path + name + "/"] = nullptr;
      walk(inner, path + name + "/");
    }
  };
  walk(0, "");
  return tree;
}

}  // namespace lockstep::tests
