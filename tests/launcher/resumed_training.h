#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "data/atomic_file.h"
#include "launcher/checkpoint/resume.h"
#include "launcher/train/train_checkpoints.h"
#include "model/compute.h"
#include "tests/support/mpi_main.h"
#include "tests/support/records.h"
#include "tests/support/tiny_world.h"

namespace lockstep::tests {

inline constexpr int64_t kSteps = 12;
inline constexpr int64_t kNever = kSteps + 1;  // to stop

struct Trained {
  TrainSummary summary;
  std::map<int64_t, double> losses;  // by step
  FlatState state;
  int64_t optimizer_steps = 0;
  std::vector<nlohmann::json> log;  // without times
  std::vector<int64_t> published;   // steps whose model was; rank 0's
};

inline void expect_same_bits(const Trained& a, const Trained& b) {
  EXPECT_EQ(a.state.parameters, b.state.parameters);
  EXPECT_EQ(a.summary.best.step(), b.summary.best.step());
  EXPECT_EQ(a.summary.best.value(), b.summary.best.value());
  EXPECT_EQ(a.summary.train_loss, b.summary.train_loss);
  EXPECT_EQ(a.log, b.log);
}

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    model::set_compute_threads(1);
    job_ = std::make_unique<Job>(mpi());
    job_->connect_gradients([] { return dist::make_mpi_communicator(); });
    folder_ = job_->control().broadcast(own_folder_.path().string(), 0);
  }
  void TearDown() override {
    job_->control().idle_barrier();  // rank 0's folder goes with it
    job_.reset();
  }

  /// Four steps an epoch, the last with fewer examples; records and evaluations out of step with both.
  static TrainOptions options() {
    TrainOptions options;
    options.global_batch_size = 10;
    options.max_train_samples = 38;
    options.max_steps = kSteps;
    options.max_seq_length = 48;
    options.learning_rate = 1e-3;
    options.weight_decay = 0.01;
    options.warmup_steps = 3;
    options.logging_steps = 3;
    options.eval_strategy = "steps";
    options.eval_steps = 4;
    options.metric_for_best_model = "accuracy";
    options.early_stopping_patience = 9;
    options.save_strategy = "steps";
    options.save_steps = 1000;
    options.disable_tqdm = true;
    return options;
  }

  /// From `start` to the end, or until it is asked to stop after `stop_after` steps, with checkpoints in the folder.
  Trained train(const std::optional<StoredCheckpoint>& start = {}, int64_t stop_after = kNever,
                const TrainOptions& options = Resume::options()) {
    TrainingData data = world_.training_data();
    data.train_examples.resize(static_cast<size_t>(options.max_train_samples));
    model::DistilBert model(TinyWorld::config(), "cpu");
    model::load_weights(model, world_.model_folder(), 0);
    const RunPlan plan = make_run_plan(options, std::ssize(data.train_examples), job_->world_size());
    RunHistory history(job_->is_main() ? std::filesystem::path(folder_) : std::filesystem::path());
    Trainer trainer(options, plan, data, threads_, *job_, model, history);
    const std::vector<TensorShape> tensors = tensors_of(model.layout());
    if (start) trainer.restore(*start->manifest, load_state(*job_, *start, tensors), history_of(*start));
    CheckpointFacts facts{folder_, "run", 1, {}, tensors, options.save_total_limit, {}};
    facts.damaged = damaged_;
    CheckpointSaver saver(*job_, facts);
    trainer.save_with(saver);
    Trained trained;
    int64_t done = start ? start->manifest->step : 0;
    trained.summary = trainer.run(
        [&] {
          if (done == full_disk_at_) throw std::system_error(ENOSPC, std::generic_category(), "model.safetensors");
          if (on_publishing_) on_publishing_(done);
          if (options.load_best_model_at_end) model::save_weights(model, folder_);
          trained.published.push_back(done);
        },
        [&](const StepStats& stats) {
          trained.losses[done = stats.step] = stats.loss;
          if (after_step_) after_step_(done);
        },
        [&] { return done >= stop_after - 1; });
    trained.state.parameters.resize(static_cast<size_t>(model.layout().size));
    model.get_parameters(trained.state.parameters);
    trained.log = without_times(history.log());
    if (job_->is_main()) {
      EXPECT_EQ(without_times(records_of(read_file(folder_ + "/metrics.jsonl"))), trained.log);
    }
    return trained;
  }

  StoredCheckpoint checkpoint(int64_t step) const {
    return read_checkpoint(std::filesystem::path(folder_) / checkpoint_name(step));
  }

  static std::vector<nlohmann::json> without_times(const nlohmann::json& log) {
    std::vector<nlohmann::json> kept;
    for (nlohmann::json record : log) {
      for (const char* key :
           {"samples_per_second", "tokens_per_second", "tflops", "exposed_communication_s", "exposed_communication",
            "network_s", "rank_seconds", "epoch_runtime", "epoch_samples_per_second", "epoch_tokens_per_second",
            "epoch_tflops", "epoch_exposed_communication", "eval_runtime", "eval_samples_per_second"})
        record.erase(key);
      kept.push_back(record);
    }
    return kept;
  }
  /// The checkpoint as `world_size` ranks would have written it.
  void divide_anew(const StoredCheckpoint& stored, int world_size) {
    if (!job_->is_main()) return;
    CheckpointManifest manifest = *stored.manifest;
    FlatState whole;
    const int64_t size = size_of(manifest.tensors);
    whole.resize(size);
    for (const ShardEntry& shard : manifest.shards)
      read_shard(stored.folder, shard, manifest.tensors, whole);
    for (const ShardEntry& shard : manifest.shards)
      std::filesystem::remove(stored.folder / shard.file.name);
    manifest.world_size = world_size;
    manifest.shards.clear();
    for (int rank = 0; rank < world_size; ++rank) {
      const ElementRange range = range_of_rank(size, rank, world_size);
      const auto cut = [&](const std::vector<float>& values) {
        return std::vector<float>(values.begin() + range.begin, values.begin() + range.end);
      };
      const FlatState part{cut(whole.parameters), cut(whole.m), cut(whole.v)};
      const auto slices = slices_of(range, manifest.tensors);
      manifest.shards.push_back({write_shard(stored.folder / shard_name(rank, world_size), part, slices), slices});
    }
    data::write_file_atomically(stored.folder / kManifestName, to_text(manifest));
  }

  TinyWorld world_;
  TemporaryFolder own_folder_;
  ThreadPlan threads_{1, 1};
  int64_t full_disk_at_ = -1;  // the step whose model is not taken
  std::function<void(int64_t step)> after_step_, on_publishing_;
  std::vector<std::filesystem::path> damaged_;  // checkpoints that were found so before
  std::string folder_;
  std::unique_ptr<Job> job_;
};

}  // namespace lockstep::tests
