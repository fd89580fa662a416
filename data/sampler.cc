#include "data/sampler.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

namespace lockstep::data {
namespace {

__extension__ using Uint128 = unsigned __int128;

/// The finalizer of SplitMix64: a bijection of 64-bit numbers in which every input bit moves about half of the
/// output's.
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// Uniform in [0, bound), bound > 0. Lemire's multiplication: the few draws that would favour small results are
/// repeated.
uint64_t below(uint64_t bound, std::mt19937_64& random) {
  Uint128 product = Uint128{random()} * bound;
  if (static_cast<uint64_t>(product) < bound) {
    const uint64_t surplus = -bound % bound;  // 2^64 mod bound
    while (static_cast<uint64_t>(product) < surplus)
      product = Uint128{random()} * bound;
  }
  return static_cast<uint64_t>(product >> 64);
}

/// The first `count` places become a uniform random choice of all values, in random order.
void shuffle_front(std::span<int64_t> values, size_t count, std::mt19937_64& random) {
  for (size_t i = 0; i < count; ++i)
    std::swap(values[i], values[i + below(values.size() - i, random)]);
}

/// How many each class gives: classes in rising size take min(all they have, an even share of what is left to take), so
/// that a small class's shortfall is spread over the larger ones.
std::map<int32_t, size_t> quotas(const std::map<int32_t, std::vector<int64_t>>& classes, size_t count) {
  std::vector<std::pair<size_t, int32_t>> by_size;
  for (const auto& [label, members] : classes)
    by_size.emplace_back(members.size(), -label);
  std::sort(by_size.begin(),
            by_size.end());  // of equally large classes the lower label comes last, where shares round up
  std::map<int32_t, size_t> quota;
  for (size_t i = 0; i < by_size.size(); ++i) {
    const size_t taken = std::min(by_size[i].first, count / (by_size.size() - i));
    quota[-by_size[i].second] = taken;
    count -= taken;
  }
  return quota;
}

/// The rank that gets each example.
std::vector<int> deal(std::span<const double> work, int world_size) {
  std::vector<size_t> by_work(work.size());
  std::iota(by_work.begin(), by_work.end(), size_t{0});
  std::stable_sort(by_work.begin(), by_work.end(), [&](size_t a, size_t b) { return work[a] > work[b]; });
  std::vector<double> load(static_cast<size_t>(world_size), 0.0);
  std::vector<int> owners(work.size());
  for (const size_t example : by_work) {
    const auto least = std::min_element(load.begin(), load.end());
    owners[example] = static_cast<int>(least - load.begin());
    *least += work[example];
  }
  return owners;
}

}  // namespace

std::vector<int64_t> balanced_subset(std::span<const int32_t> labels, int64_t count, uint64_t seed) {
  std::vector<int64_t> chosen;
  if (count < 0 || count >= std::ssize(labels)) {
    chosen.resize(labels.size());
    std::iota(chosen.begin(), chosen.end(), int64_t{0});
    return chosen;
  }
  std::map<int32_t, std::vector<int64_t>> classes;
  for (size_t i = 0; i < labels.size(); ++i)
    classes[labels[i]].push_back(static_cast<int64_t>(i));
  const auto quota = quotas(classes, static_cast<size_t>(count));
  std::mt19937_64 random(mix(seed));
  for (auto& [label, members] : classes) {
    shuffle_front(members, quota.at(label), random);
    chosen.insert(chosen.end(), members.begin(), members.begin() + static_cast<std::ptrdiff_t>(quota.at(label)));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<int64_t> epoch_order(std::span<const int64_t> examples, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(examples.begin(), examples.end());
  std::mt19937_64 random(mix(mix(seed) + static_cast<uint64_t>(epoch)));
  shuffle_front(order, order.size(), random);
  return order;
}

std::vector<int64_t> share_of_rank(std::span<const int64_t> global_batch, std::span<const double> work, int rank,
                                   int world_size) {
  if (world_size < 1 || rank < 0 || rank >= world_size)
    throw std::invalid_argument("rank " + std::to_string(rank) + " of " + std::to_string(world_size) +
                                " does not exist");
  const std::vector<int> owners = deal(work, world_size);
  if (owners.size() != global_batch.size()) throw std::invalid_argument("share_of_rank needs one work per example");
  std::vector<int64_t> share;
  for (size_t i = 0; i < owners.size(); ++i)
    if (owners[i] == rank) share.push_back(global_batch[i]);
  return share;
}

}  // namespace lockstep::data
