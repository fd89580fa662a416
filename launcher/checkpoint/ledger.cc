#include "launcher/checkpoint/ledger.h"

#include <stdexcept>

#include "launcher/format.h"

namespace lockstep {

namespace {

/// The finalizer of SplitMix64.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

std::array<uint64_t, 2> hash_of(int64_t example) {
  const auto id = static_cast<uint64_t>(example);
  return {mix(id + 0x9E3779B97F4A7C15u), mix(mix(id + 0xD1B54A32D192ED03u) + 0x8CB92BA72F3D8DD7u)};
}

/// Adds `value` to limb `i` and what carries over to those above; what leaves the highest is dropped.
void add_to(std::array<uint32_t, 4>& limbs, size_t i, uint64_t value) {
  for (; value != 0 && i < limbs.size(); ++i) {
    value += limbs[i];
    limbs[i] = static_cast<uint32_t>(value);
    value >>= 32;
  }
}

}  // namespace

void Ledger::add(std::span<const int64_t> examples) {
  count_ += std::ssize(examples);
  for (const int64_t example : examples) {
    const auto hash = hash_of(example);
    for (size_t half = 0; half < 2; ++half) {
      add_to(limbs_, 2 * half, hash[half] & 0xFFFFFFFFu);
      add_to(limbs_, 2 * half + 1, hash[half] >> 32);
    }
  }
}

std::vector<int64_t> Ledger::summands() const {
  return {count_, limbs_[0], limbs_[1], limbs_[2], limbs_[3]};
}

Ledger Ledger::of_sums(std::span<const int64_t> sums) {
  Ledger ledger;
  ledger.count_ = sums[0];
  for (size_t i = 0; i < ledger.limbs_.size(); ++i)
    add_to(ledger.limbs_, i, static_cast<uint64_t>(sums[i + 1]));
  return ledger;
}

std::string Ledger::sum() const {
  return formatted("%08x%08x%08x%08x", limbs_[3], limbs_[2], limbs_[1], limbs_[0]);
}

Ledger Ledger::of_text(int64_t count, const std::string& sum) {
  if (sum.size() != 32) throw std::invalid_argument("the sum of a ledger has 32 digits, not " + sum);
  Ledger ledger;
  ledger.count_ = count;
  for (size_t i = 0; i < ledger.limbs_.size(); ++i)
    ledger.limbs_[i] = static_cast<uint32_t>(std::stoul(sum.substr(24 - 8 * i, 8), nullptr, 16));
  return ledger;
}

}  // namespace lockstep
