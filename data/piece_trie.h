#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lockstep::data {

/// A set of byte strings with ids that answers "which is the longest that this text starts with" in one walk over the
/// text: a double-array trie, so that a step is one load from a table that mostly stays in the cache. Any thread may
/// read.
class PieceTrie {
 public:
  struct Piece {
    std::string_view text;
    int32_t id;  // >= 0
  };
  struct Match {
    int32_t id = -1;  // -1: no piece fits
    size_t length = 0;
  };

  /// The texts must differ from each other. They are not kept.
  explicit PieceTrie(std::vector<Piece> pieces);
  /// Never matches the empty piece.
  Match longest_prefix(std::string_view text) const;

 private:
  /// A node. The child by byte b is cell `base` + b, if that cell's parent is this one.
  struct Cell {
    int32_t parent = -1;  // -1: free
    int32_t base = 0;
    int32_t id = -1;  // of the piece that ends here; -1: none
  };

  void add_children(int32_t node, std::span<const Piece> pieces, size_t depth);
  int32_t place(const std::vector<uint8_t>& bytes);

  std::vector<Cell> cells_;  // always longer than any base + 255
  size_t first_free_;
};

}  // namespace lockstep::data
