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

using Classes = std::map<int32_t, std::vector<int64_t>>;  // label -> its examples, rising
using Quotas = std::map<int32_t, size_t>;

Classes classes_of(std::span<const int32_t> labels) {
  Classes classes;
  for (size_t i = 0; i < labels.size(); ++i)
    classes[labels[i]].push_back(static_cast<int64_t>(i));
  return classes;
}

/// Sizes and labels in rising size; of equally large classes the lower label comes last, where shares round up.
std::vector<std::pair<size_t, int32_t>> by_size(const Classes& classes) {
  std::vector<std::pair<size_t, int32_t>> sizes;
  for (const auto& [label, members] : classes)
    sizes.emplace_back(members.size(), label);
  std::sort(sizes.begin(), sizes.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first < b.first : a.second > b.second; });
  return sizes;
}

/// How many each class gives: classes in rising size take min(all they have, an even share of what is left to take), so
/// that a small class's shortfall is spread over the larger ones.
Quotas even_quotas(const Classes& classes, size_t count) {
  Quotas quotas;
  size_t classes_left = classes.size();
  for (const auto& [size, label] : by_size(classes))
    count -= quotas[label] = std::min(size, count / classes_left--);
  return quotas;
}

/// Likewise, with shares by size.
Quotas proportional_quotas(const Classes& classes, size_t examples, size_t count) {
  Quotas quotas;
  const size_t least = count >= classes.size() ? 1 : 0;
  for (const auto& [size, label] : by_size(classes)) {
    const auto share = static_cast<size_t>(Uint128{count} * size / examples);
    count -= quotas[label] = std::min(std::max(least, share), size - 1);
    examples -= size;
  }
  return quotas;
}

std::vector<int64_t> chosen_of(const Classes& classes, const Quotas& quotas, uint64_t seed) {
  std::vector<int64_t> chosen;
  std::mt19937_64 random(mix(seed));
  for (const auto& [label, members] : classes) {
    const size_t quota = quotas.at(label);
    std::vector<int64_t> drawn = members;
    shuffle_front(drawn, quota, random);
    chosen.insert(chosen.end(), drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(quota));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
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
  if (count < 0 || count >= std::ssize(labels)) {
    std::vector<int64_t> all(labels.size());
    std::iota(all.begin(), all.end(), int64_t{0});
    return all;
  }
  const Classes classes = classes_of(labels);
  return chosen_of(classes, even_quotas(classes, static_cast<size_t>(count)), seed);
}

std::vector<int64_t> stratified_subset(std::span<const int32_t> labels, int64_t count, uint64_t seed) {
  const Classes classes = classes_of(labels);
  return chosen_of(classes, proportional_quotas(classes, labels.size(), static_cast<size_t>(count)), seed);
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
