#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "tests/end_to_end/program.h"
#include "tests/support/background.h"
#include "tests/support/tiny_world.h"

namespace lockstep::tests {

/// How often a test is to repeat what hits a job at some moment.
inline int repetitions() {
  const std::string wish = environment("LOCKSTEP_REPETITIONS");
  return wish.empty() ? 1 : std::stoi(wish);
}

/// A tiny world whose runs last until somebody ends them.
class LaunchedWorld : public testing::Test {
 protected:
  static void SetUpTestSuite() { world_ = std::make_unique<TinyWorld>(); }
  static void TearDownTestSuite() { world_.reset(); }
  void SetUp() override { std::filesystem::remove_all(run_folder()); }
  void TearDown() override { EXPECT_TRUE(all_are_gone(10)) << "a test leaves processes behind"; }

  static std::string run_folder() { return world_->path("run"); }
  static std::vector<std::string> train() {
    return {"train",
            "--model_name_or_path",
            world_->model_folder(),
            "--dataset",
            world_->dataset_folder(),
            "--output_dir",
            run_folder(),
            "--global_batch_size",
            "8",
            "--num_train_epochs",
            "1e6",
            "--max_seq_length",
            "48",
            "--learning_rate",
            "1e-5",
            "--logging_steps",
            "1",
            "--overwrite_output_dir"};
  }
  static std::unique_ptr<Background> start(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    const std::vector<std::string> command = train();
    arguments.insert(arguments.end(), command.begin(), command.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Background>(arguments, world_->path("output.txt"));
  }
  static std::unique_ptr<Background> launch(int ranks, const std::vector<std::string>& more = {}) {
    return start({environment("LOCKSTEP_BINARY"), "launch", "-n", std::to_string(ranks), "--"}, more);
  }

  /// The job's processes: launch, mpirun, ranks.
  static std::vector<SeenProcess> processes() { return processes_with(run_folder()); }
  static std::vector<SeenProcess> ranks() {
    std::vector<SeenProcess> found;
    for (const SeenProcess& process : processes())
      if (process.is_rank()) found.push_back(process);
    return found;
  }
  static std::vector<SeenProcess> mpiruns() {
    std::vector<SeenProcess> found;
    for (const SeenProcess& process : processes())
      if (process.is_mpirun()) found.push_back(process);
    return without_children(found);
  }
  static bool all_are_gone(double seconds) {
    return becomes_true([] { return processes().empty(); }, seconds);
  }
  static bool trains() { return std::filesystem::file_size(run_folder() + "/metrics.jsonl", ignored_) + 1 > 1; }
  static bool comes_to_train() { return becomes_true(trains, kPatience); }

  inline static std::unique_ptr<TinyWorld> world_;
  inline static std::error_code ignored_;
};

}  // namespace lockstep::tests
