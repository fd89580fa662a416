#include "data/piece_trie.h"

#include <bit>
#include <utility>

namespace lockstep::data {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr uint32_t kRoot = 0;
constexpr size_t kFirstCapacity = 1024;

uint32_t key_of(uint32_t node, char byte) {
  return node << 8 | static_cast<uint8_t>(byte);
}

}  // namespace

PieceTrie::PieceTrie() : edges_(kFirstCapacity, Edge{kNone, kNone}), ids_(1, -1) {}

size_t PieceTrie::slot_of(uint32_t key) const {
  // Fibonacci hashing: the upper bits of the product are the well mixed ones.
  size_t slot = (key * 0x9E3779B1u) >> (32 - std::countr_zero(edges_.size()));
  while (edges_[slot].key != key && edges_[slot].key != kNone)
    slot = (slot + 1) & (edges_.size() - 1);
  return slot;
}

uint32_t PieceTrie::child(uint32_t node, char byte) const {
  return edges_[slot_of(key_of(node, byte))].node;
}

uint32_t PieceTrie::add_child(uint32_t node, char byte) {
  if (2 * ids_.size() >= edges_.size()) grow();
  Edge& edge = edges_[slot_of(key_of(node, byte))];
  if (edge.node == kNone) {
    edge = {key_of(node, byte), static_cast<uint32_t>(ids_.size())};
    ids_.push_back(-1);
  }
  return edge.node;
}

void PieceTrie::grow() {
  const auto old = std::exchange(edges_, std::vector<Edge>(2 * edges_.size(), Edge{kNone, kNone}));
  for (const Edge& edge : old)
    if (edge.key != kNone) edges_[slot_of(edge.key)] = edge;
}

void PieceTrie::insert(std::string_view piece, int32_t id) {
  uint32_t node = kRoot;
  for (char byte : piece)
    node = add_child(node, byte);
  ids_[node] = id;
}

PieceTrie::Match PieceTrie::longest_prefix(std::string_view text) const {
  Match match;
  uint32_t node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    node = child(node, text[i]);
    if (node == kNone) break;
    if (ids_[node] >= 0) match = {ids_[node], i + 1};
  }
  return match;
}

}  // namespace lockstep::data
