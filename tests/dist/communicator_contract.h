// What every Communicator promises, as tests for a program under mpirun in which every rank runs every test. Included
// once per program, which says over which backends.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>
#include <tuple>

#include "dist/bfloat16.h"
#include "dist/communicator.h"
#include "dist/error.h"
#include "dist/reducer.h"
#include "dist/replica_check.h"
#include "tests/dist/backend.h"

namespace lockstep::dist {

inline const std::vector<size_t> kSizes = {
    0, 1, 2, 3, 7, 16, 17, 255, 1025, 4097, 10007, 65537, (1 << 18) + 3, (1 << 20) + 1};

/// Rank r holds (r + 1) * (i % 100): the sum over ranks is world (world + 1) / 2 * (i % 100), exact in float.
inline std::vector<float> ramp(size_t size, int rank) {
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>((rank + 1) * static_cast<int>(i % 100));
  return values;
}

inline std::vector<float> sum_of_ramps(size_t size, int world_size) {
  return ramp(size, world_size * (world_size + 1) / 2 - 1);
}

inline std::vector<float> noise(size_t size, int rank) {
  std::mt19937 generator(1000 + rank);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values)
    value = normal(generator);
  return values;
}

class OverBackends : public testing::TestWithParam<BackendMaker> {
 protected:
  const std::unique_ptr<Backend> backend = GetParam()();
  Communicator& communicator = backend->communicator();
  const int rank = communicator.rank();
  const int world_size = communicator.world_size();

  std::vector<float> sum_over_ranks(const std::vector<float>& values) {
    const auto memory = backend->produce(values);
    communicator.start_all_reduce_sum(memory);
    communicator.wait();
    return backend->consume(memory);
  }
};

class AllReduce : public OverBackends {};

TEST_P(AllReduce, SumsInClosedFormAtEverySize) {
  for (const size_t size : kSizes)
    EXPECT_EQ(sum_over_ranks(ramp(size, rank)), sum_of_ramps(size, world_size)) << "size " << size;
}

TEST_P(AllReduce, EveryRankGetsTheSameBits) {
  const auto control = make_control_plane();
  for (const size_t size : kSizes) {
    const auto sum = sum_over_ranks(noise(size, rank));
    require_equal_replicas(*control, digest_of(std::as_bytes(std::span(sum))), "sum of " + std::to_string(size));
  }
}

// The test above would pass on data whose sum has the same bits in any order: this data is not such.
TEST_P(AllReduce, TheNoiseTellsOrdersOfSummationApart) {
  if (world_size < 3) return;  // two floats commute
  std::vector<float> forward(1025), backward(1025);
  for (int r = 0; r < world_size; ++r) {
    const auto first = noise(1025, r), last = noise(1025, world_size - 1 - r);
    for (size_t i = 0; i < forward.size(); ++i)
      forward[i] += first[i], backward[i] += last[i];
  }
  EXPECT_NE(forward, backward);
}

TEST_P(AllReduce, RepeatsGiveTheSameBits) {
  const auto values = noise(65537, rank);
  EXPECT_EQ(sum_over_ranks(values), sum_over_ranks(values));
}

TEST_P(AllReduce, SeveralArePendingAtOnceAndEndInTheOrderOfStarting) {
  for (int step = 0; step < 3; ++step) {
    std::vector<std::span<float>> memory;
    for (const size_t size : kSizes) {
      memory.push_back(backend->produce(ramp(size, rank)));
      communicator.start_all_reduce_sum(memory.back());
    }
    const ReductionTimes times = communicator.wait();
    for (size_t i = 0; i < kSizes.size(); ++i)
      EXPECT_EQ(backend->consume(memory[i]), sum_of_ramps(kSizes[i], world_size)) << "size " << kSizes[i];
    ASSERT_EQ(times.reductions.size(), kSizes.size());
    for (size_t i = 0; i < kSizes.size(); ++i)
      EXPECT_LE(times.reductions[i].begin, times.reductions[i].end);
    for (size_t i = 1; i < kSizes.size(); ++i)
      EXPECT_LE(times.reductions[i - 1].end, times.reductions[i].begin);
    EXPECT_GE(times.exposed.count(), 0);
  }
}

TEST_P(AllReduce, WaitingForNothingReturns) {
  EXPECT_TRUE(communicator.wait().reductions.empty());
}

class AllReduceBFloat16 : public OverBackends {
 protected:
  /// `values` rounded to bf16, summed over ranks, and widened again.
  std::vector<float> sum_over_ranks(const std::vector<float>& values) {
    std::vector<BFloat16> rounded(values.size() + values.size() % 2);
    std::transform(values.begin(), values.end(), rounded.begin(), bfloat16_of);
    std::vector<float> pairs(rounded.size() / 2);  // the backend's memory is made of floats
    std::ranges::copy(std::as_bytes(std::span(rounded)), std::as_writable_bytes(std::span(pairs)).begin());
    const auto memory = backend->produce(pairs);
    communicator.start_all_reduce_sum(std::span(reinterpret_cast<BFloat16*>(memory.data()), values.size()));
    communicator.wait();
    pairs = backend->consume(memory);
    std::ranges::copy(std::as_bytes(std::span(pairs)), std::as_writable_bytes(std::span(rounded)).begin());
    std::vector<float> sums(values.size());
    std::transform(rounded.begin(), rounded.begin() + std::ssize(sums), sums.begin(), float_of);
    return sums;
  }
};

TEST_P(AllReduceBFloat16, SumsInClosedFormWhereNothingIsRounded) {
  const int sum_of_ranks = world_size * (world_size + 1) / 2;
  for (const size_t size : kSizes) {
    std::vector<float> values(size), expected(size);
    for (size_t i = 0; i < size; ++i) {
      const auto small = static_cast<float>(i % 16);  // up to 10 * 15: 8 bits are enough
      values[i] = static_cast<float>(rank + 1) * small;
      expected[i] = static_cast<float>(sum_of_ranks) * small;
    }
    EXPECT_EQ(sum_over_ranks(values), expected) << "size " << size;
  }
}

TEST_P(AllReduceBFloat16, EveryRankGetsTheSameBits) {
  const auto control = make_control_plane();
  for (const size_t size : kSizes) {
    const auto sum = sum_over_ranks(noise(size, rank));
    require_equal_replicas(*control, digest_of(std::as_bytes(std::span(sum))), "sum of " + std::to_string(size));
  }
}

TEST_P(AllReduceBFloat16, IsOffByItsRoundingsAtMost) {
  constexpr size_t kSize = 4097;
  constexpr double kRounding = 1.0 / 256;  // half a unit in the last of 8 bits, relative
  const auto sum = sum_over_ranks(noise(kSize, rank));
  std::vector<double> exact(kSize), magnitude(kSize);
  for (int r = 0; r < world_size; ++r) {
    const auto addend = noise(kSize, r);
    for (size_t i = 0; i < kSize; ++i) {
      exact[i] += addend[i];
      magnitude[i] += std::abs(addend[i]);
    }
  }
  for (size_t i = 0; i < kSize; ++i)  // one rounding of each addend, and one of each partial sum
    ASSERT_NEAR(sum[i], exact[i], world_size * kRounding * magnitude[i]) << i;
}

class Discipline : public OverBackends {};

TEST_P(Discipline, ABarrierReturns) {
  communicator.barrier();
}

TEST_P(Discipline, OtherCollectivesAreRefusedWhileReductionsArePending) {
  const auto memory = backend->produce(ramp(7, rank));
  communicator.start_all_reduce_sum(memory);
  EXPECT_THROW(communicator.barrier(), std::logic_error);
  communicator.wait();
  communicator.barrier();
}

TEST_P(Discipline, AfterAbortEveryCallIsRefused) {
  const auto memory = backend->produce(ramp(7, rank));
  communicator.abort(1, 5);
  communicator.abort(1, 5);
  EXPECT_THROW(communicator.start_all_reduce_sum(memory), CommunicationError);
  EXPECT_THROW(communicator.wait(), CommunicationError);
  EXPECT_THROW(communicator.barrier(), CommunicationError);
}

struct ReducerCase {
  std::vector<int64_t> parameters;
  int64_t cap_elements;
};

class ReducerOverRanks : public testing::TestWithParam<std::tuple<BackendMaker, ReducerCase>> {
 protected:
  const ReducerCase& shape = std::get<ReducerCase>(GetParam());
  const std::unique_ptr<Backend> backend = std::get<BackendMaker>(GetParam())();
  Communicator& communicator = backend->communicator();
  const std::vector<Bucket> plan = plan_buckets(
      shape.parameters, {.first_bucket_bytes = 4 * shape.cap_elements, .bucket_cap_bytes = 4 * shape.cap_elements});
  const size_t elements = std::accumulate(shape.parameters.begin(), shape.parameters.end(), int64_t{0});

  /// Each rank marks in an order of its own.
  std::vector<float> reduce(const std::vector<float>& values, unsigned seed) {
    std::vector<size_t> order(plan.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    const auto gradients = backend->produce(values);
    Reducer reducer(communicator, plan, gradients);
    for (const size_t bucket : order)
      reducer.mark_ready(bucket);
    reducer.finish();
    EXPECT_EQ(reducer.times().reductions.size(), plan.size());
    return backend->consume(gradients);
  }
};

TEST_P(ReducerOverRanks, SumsInClosedForm) {
  EXPECT_EQ(reduce(ramp(elements, communicator.rank()), 0), sum_of_ramps(elements, communicator.world_size()));
}

TEST_P(ReducerOverRanks, TheOrderOfMarkingDoesNotChangeABit) {
  const auto gradients = noise(elements, communicator.rank());
  const auto expected = reduce(gradients, 0);
  for (unsigned seed = 1; seed < 4; ++seed)
    EXPECT_EQ(reduce(gradients, 10 * seed + communicator.rank()), expected) << "seed " << seed;
}

inline const auto kShapes = testing::Values(ReducerCase{{}, 4},                         // nothing
                                            ReducerCase{{1}, 4},                        // one element
                                            ReducerCase{{3, 5, 7, 9, 11}, 12},          // odd sizes
                                            ReducerCase{{1000, 3, 100001, 2, 5}, 100},  // larger than a bucket
                                            ReducerCase{{1 << 16, 1 << 16, 1 << 16}, 1 << 17});

}  // namespace lockstep::dist
