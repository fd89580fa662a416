#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/end_to_end/program.h"
#include "tests/support/tiny_world.h"

namespace lockstep::tests {

/// One tiny world and one trained run for all tests: they read it, or write beside it.
class Commands : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = new TinyWorld();
    trained_ = new Outcome(
        mpirun(2, train_arguments("run") + " --eval_strategy epoch --load_best_model_at_end --logging_steps 2"));
  }
  static void TearDownTestSuite() {
    delete world_;
    delete trained_;
  }

  static std::string model_and_data() {
    return "--model_name_or_path " + world_->model_folder() + " --dataset " + world_->dataset_folder();
  }
  static std::string train_arguments(const std::string& output) {
    return "train " + model_and_data() + " --output_dir " + world_->path(output) +
           " --global_batch_size 8 --num_train_epochs 2 --max_seq_length 48 --learning_rate 1e-3";
  }
  static std::string run_folder() { return world_->path("run"); }

  static void expect_failure(const Outcome& outcome, int exit_code, const std::vector<std::string>& words) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output;
    for (const std::string& word : words)
      EXPECT_THAT(outcome.output, testing::HasSubstr(word));
    EXPECT_THAT(outcome.output, testing::Not(testing::HasSubstr("terminate called")));
  }

  inline static TinyWorld* world_ = nullptr;
  inline static Outcome* trained_ = nullptr;
};

}  // namespace lockstep::tests
