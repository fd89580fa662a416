// A training that was stopped and goes on must be the training that was never stopped, bit for bit.
#include <gmock/gmock.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <sstream>
#include <system_error>
#include <thread>

#include "data/atomic_file.h"
#include "data/seal.h"
#include "launcher/checkpoint/resume.h"
#include "launcher/exit_codes.h"
#include "launcher/train_checkpoints.h"
#include "tests/support/mpi_main.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int64_t kSteps = 12;
constexpr int64_t kNever = kSteps + 1;  // to stop

struct Trained {
  TrainSummary summary;
  std::map<int64_t, double> losses;  // by step
  FlatState state;
  int64_t optimizer_steps = 0;
  std::vector<nlohmann::json> log;  // without times
  std::vector<int64_t> published;   // steps whose model was; rank 0's
};

void expect_same_bits(const Trained& a, const Trained& b) {
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
    job_ = std::make_unique<Job>(tests::mpi());
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
    model::DistilBert model(tests::TinyWorld::config(), "cpu");
    model::load_weights(model, world_.model_folder(), 0);
    const RunPlan plan = make_run_plan(options, std::ssize(data.train_examples), job_->world_size());
    const ThreadPlan threads{1, 1};
    RunHistory history(job_->is_main() ? fs::path(folder_) : fs::path());
    Trainer trainer(options, plan, data, threads, *job_, model, history);
    const std::vector<TensorShape> tensors = tensors_of(model.layout());
    if (start) trainer.restore(*start->manifest, load_state(*job_, *start, tensors), history_of(*start));
    CheckpointSaver saver(*job_, {folder_, "run", 1, {}, tensors, options.save_total_limit, {}});
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
      EXPECT_EQ(without_times(lines_of(folder_ + "/metrics.jsonl")), trained.log);
    }
    return trained;
  }

  StoredCheckpoint checkpoint(int64_t step) const { return read_checkpoint(fs::path(folder_) / checkpoint_name(step)); }

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
  static nlohmann::json lines_of(const std::string& path) {
    nlohmann::json lines = nlohmann::json::array();
    std::istringstream text(tests::read_file(path));
    for (std::string line; std::getline(text, line);)
      lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  /// The checkpoint as `world_size` ranks would have written it.
  void divide_anew(const StoredCheckpoint& stored, int world_size) {
    if (!job_->is_main()) return;
    CheckpointManifest manifest = *stored.manifest;
    FlatState whole;
    int64_t size = 0;
    for (const TensorShape& tensor : manifest.tensors)
      size += tensor.size();
    whole.resize(size);
    for (const ShardEntry& shard : manifest.shards)
      read_shard(stored.folder, shard, manifest.tensors, whole);
    for (const ShardEntry& shard : manifest.shards)
      fs::remove(stored.folder / shard.file.name);
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

  tests::TinyWorld world_;
  tests::TemporaryFolder own_folder_;
  int64_t full_disk_at_ = -1;  // the step whose model is not taken
  std::function<void(int64_t step)> after_step_, on_publishing_;
  std::string folder_;
  std::unique_ptr<Job> job_;
};

TEST_F(Resume, FromAnyStepTheTrainingGoesOnAsIfItHadNeverStopped) {
  const Trained unbroken = train();
  for (const int64_t step : std::initializer_list<int64_t>{
           1, 4, 7, 8, 10, 11, kSteps}) {  // in mid-epoch; at an epoch's end; evaluations due
    const Trained before = train({}, step);
    EXPECT_EQ(before.summary.steps, step);
    EXPECT_TRUE(before.summary.stopped_on_request);
    const Trained after = train(checkpoint(step));
    SCOPED_TRACE("after step " + std::to_string(step));
    EXPECT_EQ(after.losses.size(), static_cast<size_t>(kSteps - step));
    for (const auto& [number, loss] : after.losses)
      EXPECT_EQ(loss, unbroken.losses.at(number)) << "step " << number;
    expect_same_bits(after, unbroken);
  }
}

TEST_F(Resume, FromTheShardsOfAnyNumberOfRanks) {
  const Trained unbroken = train();
  train({}, 7);
  for (const int world_size : {1, 2, 3, 4, 7}) {
    divide_anew(checkpoint(7), world_size);
    job_->control().idle_barrier();
    expect_same_bits(train(checkpoint(7)), unbroken);
    job_->control().idle_barrier();
  }
}

TEST_F(Resume, TwiceIsAsOnce) {
  const Trained unbroken = train();
  train({}, 3);
  train(checkpoint(3), 10);
  expect_same_bits(train(checkpoint(10)), unbroken);
}

TEST_F(Resume, MomentsComeBackBitForBit) {
  train({}, 6);
  const StoredCheckpoint first = checkpoint(6);
  const FlatState state = load_state(*job_, first, first.manifest->tensors);
  EXPECT_TRUE(std::ranges::any_of(state.v, [](float value) { return value != 0; }));
  model::DistilBert model(tests::TinyWorld::config(), "cpu");
  model::AdamW optimizer(model, {});
  model.set_parameters(state.parameters);
  optimizer.set_moments(state.m, state.v, 6);
  FlatState back;
  back.resize(model.layout().size);
  optimizer.get_state(0, back.parameters, back.m, back.v);
  EXPECT_EQ(back.parameters, state.parameters);
  EXPECT_EQ(back.m, state.m);
  EXPECT_EQ(back.v, state.v);
  EXPECT_EQ(optimizer.steps(), 6);
}

TEST_F(Resume, AnExampleTrainedTwiceOrLeftOutIsAnErrorAtTheEpochsEnd) {
  train({}, 3);
  StoredCheckpoint start = checkpoint(3);
  nlohmann::json& ledger = start.manifest->training["ledger"];
  EXPECT_EQ(ledger["count"], 30);
  const std::string sum = ledger["sum"];
  ledger["sum"] = std::string(31, '0') + "1";
  EXPECT_THROW(train(start), AgreedFailure);
  ledger["sum"] = sum;
  ledger["count"] = 29;
  EXPECT_THROW(train(start), AgreedFailure);
  ledger["count"] = 30;
  EXPECT_NO_THROW(train(start));
}

TEST_F(Resume, ARunThatIsDoneTrainsNoMore) {
  const Trained unbroken = train();
  const Trained again = train(checkpoint(kSteps));
  EXPECT_TRUE(again.losses.empty());
  expect_same_bits(again, unbroken);
}

TEST_F(Resume, TheNewestValidOneIsTakenAndDamagedOnesStay) {
  train({}, 3);
  train(checkpoint(3), 6);
  train(checkpoint(6), 10);
  if (job_->is_main()) {
    fs::resize_file(checkpoint(10).folder / checkpoint(10).manifest->shards.back().file.name, 100);
    fs::remove(checkpoint(6).folder / kManifestName);
  }
  job_->control().idle_barrier();
  const auto chosen = choose_checkpoint(*job_, resume_wish("auto", folder_), folder_);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->manifest->step, 3);
  EXPECT_TRUE(fs::exists(fs::path(folder_) / "checkpoint-10"));
  EXPECT_TRUE(fs::exists(fs::path(folder_) / "checkpoint-6"));
  try {
    choose_checkpoint(*job_, resume_wish("10", folder_), folder_);
    FAIL() << "a step that is asked for is not replaced by another";
  } catch (const AgreedFailure& failure) {
    EXPECT_EQ(failure.failure().exit_code, kCheckpoint);
    EXPECT_THAT(failure.failure().message, HasSubstr("has 100 bytes, the manifest says"));
  }
}

class NeverAgain : public Resume {};

// transformers#28544, fairseq#3531: the count of evaluations without a gain began anew on resuming.
TEST_F(NeverAgain, EarlyStoppingForgetsItsCountOnResuming) {
  TrainOptions options = Resume::options();
  options.eval_steps = 3;
  options.early_stopping_patience = 2;
  options.early_stopping_threshold = 2;  // no accuracy is better by that much: the third evaluation is the last
  EXPECT_EQ(train({}, kNever, options).summary.steps, 9);
  train({}, 5, options);
  const Trained after = train(checkpoint(5), kNever, options);
  EXPECT_EQ(after.summary.steps, 9);
  EXPECT_TRUE(after.summary.stopped_early);
}

TEST_F(Resume, WithoutAnyOneAutoStartsAnewAndMustDoesNot) {
  EXPECT_FALSE(choose_checkpoint(*job_, resume_wish("auto", folder_), folder_));
  EXPECT_FALSE(choose_checkpoint(*job_, resume_wish("never", folder_), folder_));
  EXPECT_THROW(choose_checkpoint(*job_, resume_wish("must", folder_), folder_), AgreedFailure);
}

TEST_F(Resume, NeverStartsAnewWhereAllAreDamaged) {
  train({}, 3);
  if (job_->is_main()) fs::remove(checkpoint(3).folder / kManifestName);
  job_->control().idle_barrier();
  try {
    choose_checkpoint(*job_, resume_wish("auto", folder_), folder_);
    FAIL() << "a silent restart";
  } catch (const AgreedFailure& failure) {
    EXPECT_EQ(failure.failure().exit_code, kCheckpoint);
  }
}

TEST_F(Resume, WithoutEvaluationsTheLastStepsModelIsDelivered) {
  train({}, 10);
  TrainOptions options = Resume::options();
  options.eval_strategy = "no";
  const Trained after = train(checkpoint(10), kNever, options);
  if (job_->is_main()) {
    EXPECT_EQ(after.published, std::vector<int64_t>{kSteps});
  }
}

TEST_F(Resume, ABestModelThatTheCheckpointDoesNotHoldIsForgotten) {
  train({}, 6);
  TrainOptions options = Resume::options();
  options.load_best_model_at_end = true;
  const Trained after = train(checkpoint(6), kNever, options);
  EXPECT_GT(after.summary.best.step(), 6);
  if (job_->is_main()) {
    EXPECT_EQ(after.published.back(), after.summary.best.step());
  }
}

TEST_F(Resume, AModelThatTheDiskDoesNotTakeEndsNoTraining) {
  full_disk_at_ = 4;
  const Trained trained = train();
  EXPECT_EQ(trained.summary.steps, kSteps);
  EXPECT_EQ(trained.summary.lost_best_step, -1) << "the last one is delivered";
  full_disk_at_ = kSteps;
  if (job_->world_size() == 1) {
    EXPECT_THROW(train(), std::system_error) << "none is";
  }
}

TEST_F(Resume, ABestModelThatTheDiskDoesNotTakeIsNotTheBest) {
  TrainOptions options = Resume::options();
  options.load_best_model_at_end = true;
  full_disk_at_ = 4;  // the first evaluation is the best so far
  const Trained trained = train({}, kNever, options);
  EXPECT_EQ(trained.summary.steps, kSteps);
  EXPECT_EQ(trained.summary.lost_best_step, 4);
  EXPECT_GT(trained.summary.best.step(), 4);
  if (job_->is_main()) {
    EXPECT_EQ(trained.published.back(), trained.summary.best.step());
  }
}

/// A long evaluation must not keep a checkpoint from its name that all ranks have written by then.
TEST_F(Resume, ACheckpointGetsItsNameWhileAnEvaluationRuns) {
  TrainOptions options = Resume::options();
  options.save_steps = 3;
  after_step_ = [](int64_t step) {
    if (step == 4) std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the shards of step 3 are written
  };
  on_publishing_ = [&](int64_t step) {
    const auto is_there = [&] { return fs::exists(fs::path(folder_) / "checkpoint-3"); };
    for (int i = 0; i < 100 && step == 4 && !is_there(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_TRUE(step != 4 || is_there());
  };
  train({}, kNever, options);
}

/// A manifest is read as a whole, and refused above 16 MiB: a long run's records must not bring it there.
TEST_F(Resume, TheManifestDoesNotGrowWithTheRecords) {
  TrainOptions options = Resume::options();
  options.logging_steps = 1;
  train({}, 2, options);
  train({}, 11, options);
  const auto bytes = [&](int64_t step) { return fs::file_size(checkpoint(step).folder / kManifestName); };
  EXPECT_LT(bytes(11), bytes(2) + 200) << "numbers may have more digits";
}

/// As format 1 has it: the records in the manifest.
void make_first_format(const StoredCheckpoint& stored) {
  nlohmann::json text = nlohmann::json::parse(to_text(*stored.manifest));
  text.erase("sha256");
  text["format"] = 1;
  std::istringstream history(history_of(stored));
  for (std::string line; std::getline(history, line);)
    text["training"]["history"].push_back(nlohmann::json::parse(line));
  std::erase_if(text["files"].get_ref<nlohmann::json::array_t&>(),
                [](const nlohmann::json& file) { return file["name"] == kHistoryName; });
  fs::remove(stored.folder / kHistoryName);
  data::write_file_atomically(stored.folder / kManifestName, data::sealed(text.dump(2)));
}

TEST_F(Resume, FromTheFirstFormat) {
  const Trained unbroken = train();
  train({}, 7);
  if (job_->is_main()) make_first_format(checkpoint(7));
  job_->control().idle_barrier();
  expect_same_bits(train(checkpoint(7)), unbroken);
}

TEST_F(Resume, AsManyAsWantedAreKept) {
  TrainOptions options = Resume::options();
  options.save_total_limit = 2;
  std::optional<StoredCheckpoint> start;
  for (const int64_t step : {6, 7, 10, 11}) {
    train(start, step, options);
    start = checkpoint(step);
  }
  std::vector<int64_t> steps;
  for (const StoredCheckpoint& stored : list_checkpoints(folder_))
    steps.push_back(stored.manifest->step);
  EXPECT_EQ(steps, (std::vector<int64_t>{11, 10}));
}

TEST_F(Resume, CheckpointsAreWrittenBesideTheTraining) {
  TrainOptions options = Resume::options();
  options.save_steps = 3;
  const Trained trained = train({}, kNever, options);
  const SaveCounts& saves = trained.summary.saves;
  EXPECT_EQ(saves.written + saves.skipped, 4);
  EXPECT_EQ(saves.failed, 0);
  EXPECT_EQ(std::ssize(list_checkpoints(folder_)), saves.written);
  for (const StoredCheckpoint& stored : list_checkpoints(folder_))
    EXPECT_EQ(problem_with(stored, true), std::nullopt);
  EXPECT_TRUE(checkpoint(kSteps).manifest) << "the last step's is never left out";
}

}  // namespace
}  // namespace lockstep
