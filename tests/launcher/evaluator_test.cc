#include "launcher/evaluator.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "launcher/model_folder.h"
#include "model/error.h"
#include "tests/support/text.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

class Evaluation : public testing::Test {
 protected:
  Evaluation() : model_(tests::TinyWorld::config(), "cpu"), data_(world_.training_data()) {
    model::load_weights(model_, world_.model_folder(), 0);
  }

  EvalCounts part(int index, int parts) {
    return evaluate_part(model_, data_.eval, data_.eval_examples, {3, 48, index, parts});
  }

  tests::TinyWorld world_;
  model::DistilBert model_;
  TrainingData data_;
};

TEST_F(Evaluation, CountsEveryExampleOnce) {
  EXPECT_EQ(part(0, 1).confusion.total(), data_.eval.size());
}

TEST_F(Evaluation, PartsAddUpToTheWholeWithTheSameConfusionMatrix) {
  const EvalCounts whole = part(0, 1);
  for (const int parts : {2, 3, 4, 50}) {
    EvalCounts sum{0, model::ConfusionMatrix(2)};
    for (int index = 0; index < parts; ++index) {
      const EvalCounts counts = part(index, parts);
      sum.loss_sum += counts.loss_sum;
      for (const auto& [cell, count] : counts.confusion.cells())
        sum.confusion.add_to(cell, count);
    }
    EXPECT_EQ(sum.confusion, whole.confusion) << parts;
    EXPECT_NEAR(sum.loss_sum, whole.loss_sum, 1e-9) << parts;  // the same batches, added in another order of doubles
  }
}

TEST_F(Evaluation, BatchSizeDoesNotChangeTheLoss) {
  const double one = evaluate_part(model_, data_.eval, data_.eval_examples, {1, 48, 0, 1}).loss_sum;
  const double many = evaluate_part(model_, data_.eval, data_.eval_examples, {16, 48, 0, 1}).loss_sum;
  EXPECT_NEAR(one, many, 1e-5 * one);  // fp32 GEMMs of other shapes
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory knows no such limit
/// For its life, this process has only so much more address space than now.
class LittleMemory {
 public:
  explicit LittleMemory(rlim_t bytes) {
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    getrlimit(RLIMIT_AS, &before_);
    const rlimit little{pages * static_cast<rlim_t>(getpagesize()) + bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &little), 0);
  }
  ~LittleMemory() { setrlimit(RLIMIT_AS, &before_); }
  LittleMemory(const LittleMemory&) = delete;
  LittleMemory& operator=(const LittleMemory&) = delete;

 private:
  rlimit before_{};
};

TEST(Classifier, TakesNoMemoryBeforeItsShapesAreCompared) {
  const tests::TinyWorld world;
  model::DistilBertConfig config = tests::TinyWorld::config();
  config.vocab_size = 1 << 24;  // 2 GiB
  const LittleMemory limit(64 << 20);
  try {
    load_classifier(config, world.model_folder());
    ADD_FAILURE() << "loaded";
  } catch (const model::ModelContractError& error) {
    EXPECT_TRUE(tests::contains(error.what(), "has shape [160, 32], config.json says [16777216, 32]")) << error.what();
  }
}
#endif

TEST(EvalResult, AnUnknownMetricIsAnError) {
  EXPECT_THROW(EvalResult().value_of("bleu"), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep
