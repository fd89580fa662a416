#include "data/piece_trie.h"

#include <algorithm>

namespace lockstep::data {

namespace {

constexpr int32_t kRoot = 0;
constexpr size_t kBytes = 256;

uint8_t byte_at(std::string_view text, size_t position) {
  return static_cast<uint8_t>(text[position]);
}

}  // namespace

// The first 256 cells hold the root only: so every other cell is a possible child by any byte, with a base that is not
// negative.
PieceTrie::PieceTrie(std::vector<Piece> pieces) : cells_(2 * kBytes), first_free_(kBytes) {
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.text < b.text; });
  add_children(kRoot, pieces, 0);
}

/// `pieces`: sorted, all those whose first `depth` bytes lead to `node`.
void PieceTrie::add_children(int32_t node, std::span<const Piece> pieces, size_t depth) {
  if (!pieces.empty() && pieces.front().text.size() == depth) {
    cells_[node].id = pieces.front().id;
    pieces = pieces.subspan(1);
  }
  if (pieces.empty()) return;
  std::vector<uint8_t> bytes;
  std::vector<size_t> starts;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0 && pieces[i].text[depth] == pieces[i - 1].text[depth]) continue;
    bytes.push_back(byte_at(pieces[i].text, depth));
    starts.push_back(i);
  }
  starts.push_back(pieces.size());
  const int32_t base = cells_[node].base = place(bytes);
  for (uint8_t byte : bytes)
    cells_[base + byte].parent = node;
  for (size_t i = 0; i < bytes.size(); ++i)
    add_children(base + bytes[i], pieces.subspan(starts[i], starts[i + 1] - starts[i]), depth + 1);
}

/// The first base at which the cells for all of `bytes` (rising) are free.
int32_t PieceTrie::place(const std::vector<uint8_t>& bytes) {
  while (cells_[first_free_].parent >= 0)
    ++first_free_;
  for (size_t base = first_free_ - bytes.front();; ++base) {
    if (base + 2 * kBytes > cells_.size()) cells_.resize(2 * cells_.size());
    if (std::all_of(bytes.begin(), bytes.end(), [&](uint8_t byte) { return cells_[base + byte].parent < 0; }))
      return static_cast<int32_t>(base);
  }
}

PieceTrie::Match PieceTrie::longest_prefix(std::string_view text) const {
  Match match;
  int32_t node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    const int32_t child = cells_[node].base + byte_at(text, i);
    if (cells_[child].parent != node) break;
    if (cells_[child].id >= 0) match = {cells_[child].id, i + 1};
    node = child;
  }
  return match;
}

}  // namespace lockstep::data
