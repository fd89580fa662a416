// Runs under mpirun at several world sizes; every rank runs every test.
#include "dist/communicator.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "dist/reducer.h"
#include "dist/replica_check.h"

namespace lockstep::dist {
namespace {

const std::vector<size_t> kSizes = {0, 1, 2, 3, 7, 16, 17, 255, 1025, 10007, 65537, (1 << 18) + 3, (1 << 20) + 1};

/// Rank r holds (r + 1) * (i % 100): the sum over ranks is world (world + 1) / 2 * (i % 100), exact in float.
std::vector<float> ramp(size_t size, int rank) {
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>((rank + 1) * static_cast<int>(i % 100));
  return values;
}

std::vector<float> sum_of_ramps(size_t size, int world_size) {
  return ramp(size, world_size * (world_size + 1) / 2 - 1);
}

std::vector<float> noise(size_t size, int rank) {
  std::mt19937 generator(1000 + rank);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values)
    value = normal(generator);
  return values;
}

TEST(AllReduce, SumsInClosedFormAtEverySize) {
  const auto communicator = make_mpi_communicator();
  for (const size_t size : kSizes) {
    auto values = ramp(size, communicator->rank());
    communicator->all_reduce_sum(values);
    EXPECT_EQ(values, sum_of_ramps(size, communicator->world_size())) << "size " << size;
  }
}

TEST(AllReduce, EveryRankGetsTheSameBits) {
  const auto communicator = make_mpi_communicator();
  const auto control = make_control_plane();
  for (const size_t size : kSizes) {
    auto values = noise(size, communicator->rank());
    communicator->all_reduce_sum(values);
    require_equal_replicas(*control, digest_of(std::as_bytes(std::span(values))), "sum of " + std::to_string(size));
  }
}

// The test above would pass on data whose sum has the same bits in any order: this data is not such.
TEST(AllReduce, TheNoiseTellsOrdersOfSummationApart) {
  const int world_size = make_mpi_communicator()->world_size();
  if (world_size < 3) return;  // two floats commute
  std::vector<float> forward(1025), backward(1025);
  for (int rank = 0; rank < world_size; ++rank) {
    const auto first = noise(1025, rank), last = noise(1025, world_size - 1 - rank);
    for (size_t i = 0; i < forward.size(); ++i)
      forward[i] += first[i], backward[i] += last[i];
  }
  EXPECT_NE(forward, backward);
}

TEST(AllReduce, RepeatsGiveTheSameBits) {
  const auto communicator = make_mpi_communicator();
  auto first = noise(65537, communicator->rank()), second = first;
  communicator->all_reduce_sum(first);
  communicator->all_reduce_sum(second);
  EXPECT_EQ(first, second);
}

TEST(Broadcast, EveryRootReachesAll) {
  const auto communicator = make_mpi_communicator();
  for (int root = 0; root < communicator->world_size(); ++root)
    for (const size_t size : kSizes) {
      auto values = ramp(size, communicator->rank());
      communicator->broadcast(std::as_writable_bytes(std::span(values)), root);
      EXPECT_EQ(values, ramp(size, root)) << "root " << root << ", size " << size;
    }
}

TEST(Barrier, Returns) {
  make_mpi_communicator()->barrier();
}

struct ReducerCase {
  std::vector<int64_t> parameters;
  int64_t cap_elements;
};

class ReducerOverRanks : public testing::TestWithParam<ReducerCase> {
 protected:
  const std::unique_ptr<Communicator> communicator = make_mpi_communicator();
  const std::vector<Bucket> plan = plan_buckets(
      GetParam().parameters,
      {.first_bucket_bytes = 4 * GetParam().cap_elements, .bucket_cap_bytes = 4 * GetParam().cap_elements});
  const size_t elements = std::accumulate(GetParam().parameters.begin(), GetParam().parameters.end(), int64_t{0});

  /// Each rank marks in an order of its own.
  std::vector<float> reduce(std::vector<float> gradients, unsigned seed) {
    std::vector<size_t> order(plan.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    Reducer reducer(*communicator, plan, gradients);
    for (const size_t bucket : order)
      reducer.mark_ready(bucket);
    reducer.finish();
    return gradients;
  }
};

TEST_P(ReducerOverRanks, SumsInClosedForm) {
  EXPECT_EQ(reduce(ramp(elements, communicator->rank()), 0), sum_of_ramps(elements, communicator->world_size()));
}

TEST_P(ReducerOverRanks, TheOrderOfMarkingDoesNotChangeABit) {
  const auto gradients = noise(elements, communicator->rank());
  const auto expected = reduce(gradients, 0);
  for (unsigned seed = 1; seed < 4; ++seed)
    EXPECT_EQ(reduce(gradients, 10 * seed + communicator->rank()), expected) << "seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(Sizes, ReducerOverRanks,
                         testing::Values(ReducerCase{{}, 4},                         // nothing
                                         ReducerCase{{1}, 4},                        // one element
                                         ReducerCase{{3, 5, 7, 9, 11}, 12},          // odd sizes
                                         ReducerCase{{1000, 3, 100001, 2, 5}, 100},  // larger than a bucket
                                         ReducerCase{{1 << 16, 1 << 16, 1 << 16}, 1 << 17}));

}  // namespace
}  // namespace lockstep::dist
