#include "dist/chunks.h"

#include <gtest/gtest.h>

#include <climits>

namespace lockstep::dist {
namespace {

std::vector<size_t> sizes_of(size_t count, size_t limit) {
  // Never dereferenced: only addresses are computed, so that counts past INT_MAX need no memory.
  std::vector<size_t> sizes;
  for (const auto chunk : chunks_of(std::span(static_cast<std::byte*>(nullptr), count), limit))
    sizes.push_back(chunk.size());
  return sizes;
}

TEST(Chunks, NothingIsNoChunk) {
  EXPECT_TRUE(sizes_of(0, 4).empty());
}

TEST(Chunks, TheLastChunkHoldsTheRest) {
  EXPECT_EQ(sizes_of(4, 4), (std::vector<size_t>{4}));
  EXPECT_EQ(sizes_of(9, 4), (std::vector<size_t>{4, 4, 1}));
}

TEST(Chunks, TheyAreConsecutive) {
  std::vector<int> values(9);
  const auto chunks = chunks_of(std::span(values), 4);
  ASSERT_EQ(chunks.size(), 3U);
  for (size_t i = 0; i < chunks.size(); ++i)
    EXPECT_EQ(chunks[i].data(), values.data() + 4 * i);
}

TEST(Chunks, CountsPastIntMaxTravelInMessagesBelowIt) {
  const size_t count = size_t{INT_MAX} + 12345;
  size_t total = 0;
  for (const size_t size : sizes_of(count, kMaxElementsPerMessage)) {
    EXPECT_LE(size, size_t{INT_MAX});
    total += size;
  }
  EXPECT_EQ(total, count);
}

}  // namespace
}  // namespace lockstep::dist
