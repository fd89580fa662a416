#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lockstep::data {

/// A set of byte strings with ids that answers "which is the longest that this text starts with" in one walk over the
/// text. Edges live in one open-addressing table, keyed by (node, byte). Any thread may read once the last insert() is
/// done.
class PieceTrie {
 public:
  struct Match {
    int32_t id = -1;  // -1: no piece fits
    size_t length = 0;
  };

  PieceTrie();
  /// `id` >= 0. A piece inserted twice keeps the last id.
  void insert(std::string_view piece, int32_t id);
  /// Never matches the empty piece.
  Match longest_prefix(std::string_view text) const;

 private:
  struct Edge {
    uint32_t key;
    uint32_t node;
  };

  size_t slot_of(uint32_t key) const;
  uint32_t child(uint32_t node, char byte) const;
  uint32_t add_child(uint32_t node, char byte);
  void grow();

  std::vector<Edge> edges_;   // a power of two, at most half full
  std::vector<int32_t> ids_;  // by node; -1: no piece ends here
};

}  // namespace lockstep::data
