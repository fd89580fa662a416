#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launcher/checkpoint/store.h"
#include "launcher/exit_codes.h"
#include "tests/end_to_end/launched_world.h"
#include "tests/support/records.h"

namespace lockstep::tests {

inline constexpr const char* kResume = " --resume_from_checkpoint auto";

/// Runs of the program that write checkpoints, and what they leave.
class CheckpointJob : public LaunchedWorld {
 protected:
  /// A run of 14 steps; evaluations do not fall on checkpoints.
  static std::string arguments(const std::string& folder) {
    return "train --model_name_or_path " + world_->model_folder() + " --dataset " + world_->dataset_folder() +
           " --output_dir " + folder +
           " --global_batch_size 8 --max_steps 14 --max_seq_length 48 --learning_rate 1e-3 --logging_steps 1"
           " --eval_strategy steps --eval_steps 4 --save_strategy steps --save_steps 3 --disable_tqdm";
  }
  static Outcome train(int ranks, const std::string& more = "", const std::string& variables = "",
                       const std::string& folder = run_folder()) {
    return run(variables + " " + quoted(environment("LOCKSTEP_BINARY")) + " launch -n " + std::to_string(ranks) +
               " --threads 1 -- " + arguments(folder) + " " + more);
  }
  /// Of a run of two ranks that nothing happens to.
  static const std::string& unbroken_model() {
    static const std::string model = [] {
      EXPECT_EQ(train(2, "", "", world_->path("unbroken")).exit_code, kDone);
      return read_file(world_->path("unbroken") + "/model.safetensors");
    }();
    return model;
  }
  static std::string model() { return read_file(run_folder() + "/model.safetensors"); }
  static void expect_that_it_ends_as_if_unbroken() {
    const Outcome outcome = train(2, kResume);
    EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
    EXPECT_EQ(model() == unbroken_model(), true) << outcome.output;
    for (const auto& entry : std::filesystem::directory_iterator(run_folder()))
      EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
    EXPECT_EQ(steps_in_metrics(),
              (std::vector<int>{1, 2, 3, 4, 4, 5, 5, 6, 7, 8, 8, 9, 10, 10, 11, 12, 12, 13, 14, 14}));
  }
  static std::vector<int> steps_in_metrics() {
    std::vector<int> steps;
    for (const nlohmann::json& record : records_of(read_file(run_folder() + "/metrics.jsonl")))
      steps.push_back(record["step"]);
    return steps;
  }
  static std::vector<StoredCheckpoint> valid_ones() {
    std::vector<StoredCheckpoint> valid;
    for (const StoredCheckpoint& stored : list_checkpoints(run_folder()))
      if (!problem_with(stored, true)) valid.push_back(stored);
    return valid;
  }
  static std::vector<double> losses(const std::string& folder) {
    std::vector<double> losses;
    const std::vector<StoredCheckpoint> stored = list_checkpoints(folder);
    for (const nlohmann::json& record : records_of(history_of(stored.front())))
      if (record.contains("loss")) losses.push_back(record["loss"]);
    return losses;
  }
};

}  // namespace lockstep::tests
