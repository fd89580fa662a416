#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "dist/replica_check.h"

namespace lockstep::dist {
namespace {

uint64_t digest_of_floats(const std::vector<float>& values) {
  return digest_of(std::as_bytes(std::span(values)));
}

TEST(Digest, EqualBytesHaveEqualDigests) {
  EXPECT_EQ(digest_of_floats({1, 2, 3}), digest_of_floats({1, 2, 3}));
}

TEST(Digest, AnyFlippedBitChangesIt) {
  std::vector<std::byte> bytes(77);  // two full strides, one word and a tail
  std::set<uint64_t> digests{digest_of(bytes)};
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const auto mask = static_cast<std::byte>(1 << bit % 8);
    bytes[bit / 8] ^= mask;
    digests.insert(digest_of(bytes));
    bytes[bit / 8] ^= mask;
  }
  EXPECT_EQ(digests.size(), 8 * bytes.size() + 1);
}

TEST(Digest, SizeCountsAlsoWhereAllIsZero) {
  std::set<uint64_t> digests;
  for (size_t size = 0; size < 100; ++size)
    digests.insert(digest_of(std::vector<std::byte>(size)));
  EXPECT_EQ(digests.size(), 100U);
}

TEST(Digest, OrderCounts) {
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i);
  const uint64_t before = digest_of_floats(values);
  std::swap(values[1], values[17]);
  EXPECT_NE(digest_of_floats(values), before);
}

// A plain multiply keeps the sign bit in its place, so that two of them cancel.
TEST(Digest, TwoFlippedSignsDoNotCancel) {
  std::vector<float> values(64, 1.0F);
  const uint64_t before = digest_of_floats(values);
  for (size_t second = 3; second < values.size(); second += 2) {
    values[1] = values[second] = -1.0F;
    EXPECT_NE(digest_of_floats(values), before) << "signs 1 and " << second;
    values[1] = values[second] = 1.0F;
  }
}

}  // namespace
}  // namespace lockstep::dist
