#include "dist/replica_check.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <utility>
#include <vector>

#include "dist/error.h"

namespace lockstep::dist {
namespace {

constexpr uint64_t kPrime = 0x100000001b3;
constexpr uint64_t kOffset = 0xcbf29ce484222325;
constexpr size_t kWord = sizeof(uint64_t);

// FNV-1a's xor and multiply, then a shift: the multiply alone never carries a high bit (a float's sign) downwards, so
// that two flipped signs could cancel. Each operation is one-to-one in `lane`.
void mix(uint64_t& lane, uint64_t word) {
  lane = (lane ^ word) * kPrime;
  lane ^= lane >> 32;
}

uint64_t word_at(std::span<const std::byte> bytes, size_t offset) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, kWord);
  return word;
}

/// The last, incomplete word, with zero bytes for what is missing.
uint64_t tail_of(std::span<const std::byte> bytes) {
  uint64_t word = 0;
  const size_t size = bytes.size() % kWord;
  if (size > 0) std::memcpy(&word, bytes.data() + bytes.size() - size, size);
  return word;
}

std::string hex_of(uint64_t digest) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(digest));
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

/// The lines of `a` that `b` lacks, each after `prefix`.
std::string lines_only_in(const std::string& a, const std::string& b, const std::string& prefix) {
  const auto others = lines_of(b);
  std::string difference;
  for (const auto& line : lines_of(a))
    if (std::find(others.begin(), others.end(), line) == others.end()) difference += "\n  " + prefix + line;
  return difference;
}

/// Empty if all texts are equal.
std::string unequal_replicas(const std::vector<std::string>& digests, const std::string& what) {
  std::string ranks;
  for (size_t rank = 1; rank < digests.size(); ++rank)
    if (digests[rank] != digests[0])
      ranks += (ranks.empty() ? "" : ", ") + std::string("rank ") + std::to_string(rank) + " (" + digests[rank] + ")";
  if (ranks.empty()) return "";
  return "replicas differ: " + what + " of " + ranks + " is not that of rank 0 (" + digests[0] +
         "); a rank's memory or GPU is faulty, or it computed something else";
}

/// Empty if all texts are equal.
std::string unequal_settings(const std::vector<std::string>& settings) {
  for (size_t rank = 1; rank < settings.size(); ++rank) {
    if (settings[rank] == settings[0]) continue;
    const std::string name = "rank " + std::to_string(rank) + ": ";
    const std::string difference =
        lines_only_in(settings[0], settings[rank], "rank 0: ") + lines_only_in(settings[rank], settings[0], name);
    return "settings differ between ranks; start all ranks with the same options and files" +
           (difference.empty() ? "\n  " + name + "the same lines in another order or number" : difference);
  }
  return "";
}

/// Collective. Rank 0's verdict is every rank's; not empty means failure.
void throw_together(ControlPlane& control, std::string verdict) {
  verdict = control.broadcast(std::move(verdict), 0);
  if (!verdict.empty()) throw CommunicationError(verdict);
}

}  // namespace

uint64_t digest_of(std::span<const std::byte> bytes) {
  std::array<uint64_t, 4> lanes = {kOffset, kOffset + 1, kOffset + 2, kOffset + 3};
  constexpr size_t kStride = lanes.size() * kWord;
  size_t offset = 0;
  for (; offset + kStride <= bytes.size(); offset += kStride)
    for (size_t lane = 0; lane < lanes.size(); ++lane)
      mix(lanes[lane], word_at(bytes, offset + lane * kWord));
  for (; offset + kWord <= bytes.size(); offset += kWord)
    mix(lanes[0], word_at(bytes, offset));
  mix(lanes[0], tail_of(bytes));
  uint64_t digest = kOffset;
  mix(digest, bytes.size());
  for (const uint64_t lane : lanes)
    mix(digest, lane);
  return digest;
}

void require_equal_replicas(ControlPlane& control, uint64_t digest, const std::string& what) {
  const auto digests = control.gather(hex_of(digest));
  throw_together(control, control.rank() == 0 ? unequal_replicas(digests, what) : "");
}

void require_equal_settings(ControlPlane& control, const std::string& settings) {
  const auto all = control.gather(settings);
  throw_together(control, control.rank() == 0 ? unequal_settings(all) : "");
}

}  // namespace lockstep::dist
