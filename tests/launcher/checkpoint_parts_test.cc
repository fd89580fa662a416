// What a checkpoint is made of: which rank writes what, files with their hashes, shards, the ledger of examples.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <system_error>

#include "data/sha256.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/hashed_file.h"
#include "launcher/checkpoint/ledger.h"
#include "launcher/checkpoint/shard.h"
#include "tests/launcher/counted_state.h"
#include "tests/support/process.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::counted_from;
using tests::kElements;
using tests::kTensors;

TEST(Partition, PartsFollowEachOtherAndDifferByOneElementAtMost) {
  for (const int64_t size : {0, 1, 5, 23, 66'955'010})
    for (int world_size = 1; world_size <= 9; ++world_size) {
      int64_t end = 0;
      for (int rank = 0; rank < world_size; ++rank) {
        const ElementRange range = range_of_rank(size, rank, world_size);
        EXPECT_EQ(range.begin, end);
        EXPECT_LE(std::abs(range.size() - size / world_size), 1);
        end = range.end;
      }
      EXPECT_EQ(end, size);
    }
}

TEST(Partition, SlicesOfAllRanksHoldEveryElementOnce) {
  for (int world_size = 1; world_size <= 30; ++world_size) {
    std::vector<Slice> all;
    for (int rank = 0; rank < world_size; ++rank)
      for (const Slice& slice : slices_of(range_of_rank(kElements, rank, world_size), kTensors))
        all.push_back(slice);
    EXPECT_EQ(problem_with_cover(all, kTensors), "");
  }
  EXPECT_THAT(slices_of({1, 4}, kTensors), ElementsAre(Slice{"head.bias", 1, 2}, Slice{"head.weight", 0, 2}));
}

TEST(Partition, GapsOverlapsAndStrangersAreNamed) {
  const std::vector<Slice> whole = slices_of({0, kElements}, kTensors);
  const auto problem = [&](size_t index, const Slice& slice) {
    std::vector<Slice> slices = whole;
    slices[index] = slice;
    return problem_with_cover(slices, kTensors);
  };
  EXPECT_THAT(problem(1, {"head.weight", 0, 5}), HasSubstr("head.weight: 5 of 6 elements"));
  EXPECT_THAT(problem(1, {"head.weight", 1, 6}), HasSubstr("head.weight: after element 0"));
  EXPECT_THAT(problem(2, {"words", 0, 16}), HasSubstr("words: 16 of 15"));
  EXPECT_THAT(problem(2, {"other", 0, 15}), HasSubstr("unknown tensor other"));
  EXPECT_THAT(problem_with_cover({whole[0], whole[1], whole[2], whole[1]}, kTensors), HasSubstr("head.weight"));
}

/// Sizes around the blocks in which files are written, and the last one in parts that fit none.
TEST(HashedFile, HasTheBytesAndTheHashOfWhatWasWrittenAtEverySize) {
  const tests::TemporaryFolder folder;
  constexpr size_t kBlock = size_t{1} << 20;
  for (const size_t size : {size_t{0}, size_t{1}, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock, 3 * kBlock + 4097}) {
    const std::string name = std::to_string(size);
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i)
      bytes[i] = static_cast<char>(i * 2654435761 >> 13);
    WrittenBytes written{0};
    HashedFile file(folder / name, &written);
    for (size_t begin = 0; begin < size; begin += 300'007)
      file.write(std::string_view(bytes).substr(begin, 300'007));
    EXPECT_EQ(file.finish(), (FileReceipt{name, static_cast<int64_t>(size), data::sha256_of(bytes)}));
    EXPECT_EQ(written, static_cast<int64_t>(size));
    EXPECT_EQ(tests::read_file(folder / name) == bytes, true) << size;
  }
}

TEST(HashedFile, IsNeverWrittenOverAnother) {
  const tests::TemporaryFolder folder;
  write_hashed(folder / "manifest.json", "{}");
  EXPECT_THROW(write_hashed(folder / "manifest.json", "[]"), std::system_error);
}

TEST(Shard, IsNotWrittenWithNanOrInfinity) {
  const tests::TemporaryFolder folder;
  for (const float value : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    FlatState part{counted_from(0, kElements), counted_from(0, kElements), counted_from(0, kElements)};
    part.v[kElements - 1] = value;
    fs::remove(folder / "shard");
    EXPECT_THROW(write_shard(folder / "shard", part, slices_of({0, kElements}, kTensors)), CheckpointError) << value;
  }
}

TEST(Shard, TakesTheLargestAndTheSmallestNumbers) {
  const tests::TemporaryFolder folder;
  FlatState part{counted_from(0, kElements), counted_from(0, kElements), counted_from(0, kElements)};
  part.parameters[0] = -std::numeric_limits<float>::max();
  part.m[0] = std::numeric_limits<float>::denorm_min();
  EXPECT_GT(write_shard(folder / "shard", part, slices_of({0, kElements}, kTensors)).bytes, 0);
}

TEST(Ledger, IsTheSameInAnyOrderAndOverAnyRanks) {
  const std::vector<int64_t> all = {0, 1, 2, 3, 24999};
  Ledger whole, first, second;
  whole.add(all);
  first.add(std::vector<int64_t>{24999, 1});
  second.add(std::vector<int64_t>{3, 0, 2});
  std::vector<int64_t> sums = first.summands();
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i] += second.summands()[i];
  EXPECT_EQ(Ledger::of_sums(sums), whole);
  EXPECT_EQ(Ledger::of_text(whole.count(), whole.sum()), whole);
  EXPECT_EQ(whole.count(), 5);
}

TEST(Ledger, SeesAnExampleTwiceLeftOutOrExchanged) {
  Ledger right, twice, exchanged;
  right.add(std::vector<int64_t>{1, 2, 3});
  twice.add(std::vector<int64_t>{1, 3, 3});
  exchanged.add(std::vector<int64_t>{0, 2, 4});  // the same plain sum
  EXPECT_NE(right, twice);
  EXPECT_NE(right, exchanged);
  EXPECT_NE(right, Ledger{});
}

}  // namespace
}  // namespace lockstep
