// What travels, and that reducing the touched rows alone gives the sums of reducing everything.
#include "launcher/loop/gradient_sync.h"

#include <gtest/gtest.h>

#include "data/distinct_ids.h"
#include "data/sharded_dataset.h"
#include "launcher/batch_view.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

/// Rank 0 of a world in which each rank has the same gradients: a sum is the own values times the number of ranks.
class WorldOfTwins : public dist::Communicator {
 public:
  explicit WorldOfTwins(int ranks) : ranks_(ranks) {}
  int rank() const override { return 0; }
  int world_size() const override { return ranks_; }
  std::string description() const override { return "twins"; }
  bool takes_device_memory() const override { return true; }
  void start_all_reduce_sum(std::span<float> values) override { started.push_back(values); }
  void start_all_reduce_sum(std::span<dist::BFloat16>) override { FAIL() << "bf16 was not asked for"; }
  dist::ReductionTimes wait() override {
    for (const auto values : started)
      for (float& value : values)
        value *= static_cast<float>(ranks_);
    return {std::vector<dist::TimeSpan>(started.size()), std::chrono::duration<double>(0.5)};
  }
  void barrier() override {}
  void abort(int, double) noexcept override {}

  int64_t elements() const {
    int64_t sum = 0;
    for (const auto values : started)
      sum += std::ssize(values);
    return sum;
  }

  std::vector<std::span<float>> started;

 private:
  int ranks_;
};

class GradientSyncTest : public testing::Test {
 protected:
  GradientSyncTest() {
    model::load_weights(model_, world_.model_folder(), 0);
    for (int64_t i = 0; i < 4; ++i)
      examples_.push_back(i);
  }

  data::PackedBatch batch() const { return data::pack(data_.train, examples_, 32); }
  std::vector<int32_t> touched() const { return data::distinct_ids(batch().ids); }
  int64_t rows_elements(size_t rows) const { return static_cast<int64_t>(rows) * model_.config().dim; }
  int64_t dense_elements() const { return model_.layout().size; }
  int64_t other_elements() const { return model_.layout().word_embeddings().offset; }

  /// One step up to the optimizer; the gradient that this rank alone made.
  std::vector<float> step(GradientSync& sync) {
    model_.zero_gradients();
    const data::PackedBatch packed = batch();
    model_.forward_backward(view_of(packed), 1, 2, 1);
    std::vector<float> own(model_.gradients().begin(), model_.gradients().end());
    for (const int64_t end : {int64_t{0}, other_elements(), dense_elements()})
      sync.frontier_moved(end);
    sync.finish();
    return own;
  }

  void expect_sums_of(int ranks, const std::vector<float>& own) {
    const auto sums = model_.gradients();
    for (size_t i = 0; i < own.size(); ++i)
      ASSERT_EQ(sums[i], static_cast<float>(ranks) * own[i]) << "element " << i;
  }

  tests::TinyWorld world_;
  TrainingData data_ = world_.training_data();
  model::DistilBert model_{tests::TinyWorld::config(), "cpu"};
  std::vector<int64_t> examples_;
};

TEST_F(GradientSyncTest, TouchedRowsGiveTheSumsOfEverythingAndSendLess) {
  WorldOfTwins world(2);
  GradientSync sync(model_, world, {});
  const size_t rows = touched().size();
  ASSERT_LT(rows, static_cast<size_t>(tests::TinyWorld::kVocabulary) / 2);
  sync.begin_step(touched());
  expect_sums_of(2, step(sync));
  EXPECT_EQ(world.elements(), other_elements() + rows_elements(rows));
}

TEST_F(GradientSyncTest, EveryTouchedRowIsNeeded) {
  const std::vector<int32_t> all = touched();
  for (size_t missing = 0; missing < all.size(); ++missing) {
    WorldOfTwins world(2);
    GradientSync sync(model_, world, {});
    std::vector<int32_t> rows = all;
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(missing));
    sync.begin_step(rows);
    const std::vector<float> own = step(sync);
    const auto row = model_.layout().word_embeddings().offset + rows_elements(static_cast<size_t>(all[missing]));
    EXPECT_NE(own[row], 0) << "row " << all[missing];
    EXPECT_EQ(model_.gradients()[row], own[row]) << "row " << all[missing];
  }
}

TEST_F(GradientSyncTest, AllRowsTravelUnlessAStepNamesItsOwn) {
  WorldOfTwins world(2);
  GradientSync sync(model_, world, {});
  sync.begin_step(touched());
  step(sync);
  world.started.clear();
  expect_sums_of(2, step(sync));
  EXPECT_EQ(world.elements(), dense_elements());
}

TEST_F(GradientSyncTest, MoreThanHalfOfTheRowsTravelAsAll) {
  const auto elements_with = [&](size_t rows) {
    WorldOfTwins world(3);
    GradientSync sync(model_, world, {});
    std::vector<int32_t> some = touched();
    for (int32_t word = tests::TinyWorld::kVocabulary - 1; some.size() < rows; --word)
      some.push_back(word);
    sync.begin_step(some);
    expect_sums_of(3, step(sync));
    return world.elements();
  };
  const size_t half = tests::TinyWorld::kVocabulary / 2;
  EXPECT_EQ(elements_with(half), other_elements() + rows_elements(half));
  EXPECT_EQ(elements_with(half + 1), dense_elements());
}

TEST_F(GradientSyncTest, WordEmbeddingsAreABucketOfTheirOwnHoweverSmall) {
  WorldOfTwins world(2);
  GradientSync sync(model_, world, {});
  sync.begin_step(touched());
  step(sync);
  ASSERT_EQ(sync.buckets().size(), 2U);
  EXPECT_EQ(sync.buckets()[0].elements, other_elements());
  EXPECT_EQ(sync.buckets()[1].elements, rows_elements(touched().size()));
  EXPECT_EQ(sync.exposed_seconds(), 0.5);
}

TEST_F(GradientSyncTest, WithOneRankNothingTravels) {
  WorldOfTwins world(1);
  GradientSync sync(model_, world, {});
  sync.begin_step(touched());
  expect_sums_of(1, step(sync));
  EXPECT_TRUE(world.started.empty());
  EXPECT_TRUE(sync.buckets().empty());
  EXPECT_EQ(sync.exposed_seconds(), 0);
}

}  // namespace
}  // namespace lockstep
