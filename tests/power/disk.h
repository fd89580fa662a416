#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/power/operation.h"

namespace lockstep::tests {

/// The bytes of a file, and what tells them from others without a look at them: thousands of states share a few files.
struct FileBytes {
  explicit FileBytes(std::string whole) : bytes(std::move(whole)), identity(std::hash<std::string>{}(bytes)) {}
  std::string bytes;
  size_t identity;
};
using Content = std::shared_ptr<const FileBytes>;

inline Content content_of(std::string bytes) {
  return std::make_shared<const FileBytes>(std::move(bytes));
}

/// What a folder holds: folders end in "/" and have no content.
using Tree = std::map<std::string, Content>;

/// How much of a change a power loss has left.
enum class Fate : uint8_t {
  kKept,
  kLost,
  kTorn,   // the first half of the bytes
  kZeroed  // the file has its length, the bytes were never written
};

/// A disk with a cache before it: what programs see, what is surely on the disk, and the changes in between.
///
/// The rules are POSIX's and no file system's: fsync of a file brings its bytes to the disk, and fsync of a folder its
/// list of names; neither does the other's work. Any part of the rest may be there after a power loss, in any order,
/// except that what happened to one name happens to it in that order, and a rename is there as a whole or not at all.
/// A write is as many changes as it touches pages of 4 KiB.
class Disk {
 public:
  Disk();

  /// Takes the next operation of a record. With `lenient`, what fails as it would on a file system is left out, as in
  /// records that were changed. Else it is an error: this disk is not the one of the record.
  void apply(const Operation& operation, bool lenient = false);

  /// What programs see.
  Tree seen() const;
  /// The changes that a power loss may undo, oldest first: whether each has bytes, which can be torn.
  std::vector<bool> changes() const;
  /// What is there after a power loss with that fate of each change. Fates that cannot be (a later change of a name
  /// without an earlier one) are made kLost.
  Tree after_power_loss(std::vector<Fate>& fates) const;

 private:
  using Names = std::map<std::string, int>;
  struct Node {
    bool is_folder = false;
    Names names;       // of a folder, as programs see them
    Content content;   // of a file, likewise
    Names kept_names;  // on the disk
    Content kept;
  };
  /// Of one name: to which node it leads from then on; -1: none.
  struct NameChange {
    int folder;
    std::string name;
    int node;
  };
  struct Change {
    std::vector<NameChange> names;  // of names, all or none; or of bytes:
    int file = -1;
    uint64_t offset = 0;
    std::string bytes;
    std::optional<uint64_t> size;  // of a change of length
    uint64_t number = 0;           // unique
    bool is_of_file() const { return file >= 0; }
  };
  using Outcome = std::tuple<size_t, uint64_t, Fate>;  // of bytes, by a change that had that fate

  struct Place {
    int folder;
    std::string name;
  };
  int new_node(bool is_folder);
  std::optional<int> find(const std::string& path) const;
  std::optional<Place> place_of(const std::string& path) const;
  std::optional<int> node_at(const Place& place) const;

  bool try_apply(const Operation& operation);
  bool make(const Operation& operation, bool is_folder);
  bool remove(const std::string& path);
  bool rename(const std::string& from, const std::string& to);
  bool exchange(const std::string& a, const std::string& b);
  bool link(const std::string& from, const std::string& to);
  bool open(const Operation& operation);
  bool write(const Operation& operation);
  bool resize(const Operation& operation);
  bool flush(uint64_t file);
  void change_names(std::vector<NameChange> changes);
  void change_file(Change change);
  std::vector<bool> brought_by_flush_of(int node) const;
  void keep(const Change& change);
  void lose_what_needs_lost_ones(std::vector<Fate>& fates) const;
  std::set<int> reachable() const;
  void forget_unreachable();
  Content changed(const Content& before, const Change& change, Fate fate) const;
  Tree tree_of(const std::map<int, Names>& names, const std::map<int, Content>& contents) const;

  std::vector<Node> nodes_;
  std::map<uint64_t, int> opened_;
  std::vector<Change> changes_;
  uint64_t numbers_ = 0;
  mutable std::map<Outcome, Content> outcomes_;  // of this moment: many states share them
};

}  // namespace lockstep::tests
