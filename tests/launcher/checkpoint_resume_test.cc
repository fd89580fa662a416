// A training that was stopped and goes on must be the training that was never stopped, bit for bit.
#include <gmock/gmock.h>
#include <pthread.h>

#include <fstream>
#include <optional>
#include <thread>

#include "data/seal.h"
#include "launcher/exit_codes.h"
#include "tests/launcher/resumed_training.h"
#include "tests/support/records.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using tests::expect_same_bits;
using tests::kNever;
using tests::kSteps;
using tests::Resume;
using tests::Trained;

std::vector<int64_t> steps_of_checkpoints(const std::string& run_folder) {
  std::vector<int64_t> steps;
  for (const StoredCheckpoint& stored : list_checkpoints(run_folder))
    steps.push_back(stored.manifest->step);
  return steps;
}

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

TEST_F(Resume, WithTwoThreadsOnEachRankEveryBitIsTheSame) {
  threads_ = {2, 2};
  model::set_compute_threads(2);
  const Trained unbroken = train();
  train({}, 7);
  expect_same_bits(train(checkpoint(7)), unbroken);
}

TEST_F(Resume, BetweenStepsOfSeveralMicroBatches) {
  TrainOptions options = Resume::options();
  options.gradient_accumulation_steps = 3;
  EXPECT_EQ(make_run_plan(options, options.max_train_samples, job_->world_size()).accumulation, 3);
  const Trained unbroken = train({}, kNever, options);
  for (const int64_t step : {3, 6}) {
    train({}, step, options);
    expect_same_bits(train(checkpoint(step), kNever, options), unbroken);
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
  const ResumePoint chosen = choose_checkpoint(*job_, resume_wish("auto", folder_), folder_);
  ASSERT_TRUE(chosen.checkpoint);
  EXPECT_EQ(chosen.checkpoint->manifest->step, 3);
  EXPECT_EQ(chosen.damaged, (std::vector{checkpoint(6).folder, checkpoint(10).folder}));
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

TEST_F(Resume, WhoStartsARunThatIsDoneAgainGetsItsLastRecordAgain) {
  TrainOptions options = Resume::options();
  options.logging_steps = 5;
  const Trained unbroken = train({}, kNever, options);
  expect_same_bits(train(checkpoint(kSteps), kNever, options), unbroken);
}

TEST_F(Resume, ACheckpointThatWasFoundDamagedNeitherCountsNorGoes) {
  TrainOptions options = Resume::options();
  options.save_total_limit = 2;
  train({}, 3, options);
  train(checkpoint(3), 7, options);
  if (job_->is_main()) {
    const StoredCheckpoint newest = checkpoint(7);
    std::fstream shard(newest.folder / newest.manifest->shards[0].file.name);
    shard.seekp(-1, std::ios::end).put('\x55');
  }
  job_->control().idle_barrier();
  const ResumePoint resume = choose_checkpoint(*job_, resume_wish("auto", folder_), folder_);
  damaged_ = resume.damaged;
  train(resume.checkpoint, 10, options);
  EXPECT_EQ(steps_of_checkpoints(folder_), (std::vector<int64_t>{10, 3}));
  damaged_ = choose_checkpoint(*job_, resume_wish("auto", folder_), folder_).damaged;
  train(checkpoint(10), 11, options);
  EXPECT_EQ(steps_of_checkpoints(folder_), (std::vector<int64_t>{11, 10}));
  EXPECT_TRUE(fs::exists(folder_ + "/checkpoint-7.damaged-1/" + kManifestName));
}

TEST_F(Resume, NaNInAnEvaluationEndsTheTrainingOnAllRanks) {
  TrainOptions options = Resume::options();
  options.learning_rate = 1e30;
  options.warmup_steps = 0;
  options.eval_steps = 1;
  try {
    train({}, kNever, options);
    FAIL() << "a diverged model was evaluated";
  } catch (const AgreedFailure& failure) {
    EXPECT_EQ(failure.failure().exit_code, kNumeric);
    EXPECT_THAT(failure.failure().message, HasSubstr("step 1: in its evaluation the model answers NaN"));
    EXPECT_THAT(failure.failure().message, HasSubstr("nothing was saved"));
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
  EXPECT_FALSE(choose_checkpoint(*job_, resume_wish("auto", folder_), folder_).checkpoint);
  EXPECT_FALSE(choose_checkpoint(*job_, resume_wish("never", folder_), folder_).checkpoint);
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
  text["training"]["history"] = tests::records_of(history_of(stored));
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
  EXPECT_EQ(steps_of_checkpoints(folder_), (std::vector<int64_t>{11, 10}));
}

TEST_F(Resume, TheBestModelsCheckpointIsKeptBesideAsManyAsWanted) {
  TrainOptions options = Resume::options();
  options.metric_for_best_model = "loss";  // the tiny model's is the least at the first evaluation
  options.load_best_model_at_end = true;
  options.save_steps = options.eval_steps;
  options.save_total_limit = 1;
  EXPECT_EQ(train({}, kNever, options).summary.best.step(), 4);
  EXPECT_EQ(steps_of_checkpoints(folder_), (std::vector<int64_t>{kSteps, 4}));
}

TEST_F(Resume, AtEachEpochsEndAndAtNoOtherStepIfItIsToldSo) {
  TrainOptions options = Resume::options();
  options.save_strategy = "epoch";
  options.save_steps = 3;
  const SaveCounts saves = train({}, kNever, options).summary.saves;
  EXPECT_EQ(saves.written + saves.skipped, 3);
  const std::vector<int64_t> steps = steps_of_checkpoints(folder_);
  EXPECT_THAT(steps, testing::IsSubsetOf({4, 8, 12}));
  EXPECT_THAT(steps, testing::IsSupersetOf({4, 12})) << "the first is never left out, nor is the last";
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

/// As where the system has no thread left: none gets its stack.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    constexpr size_t kMoreThanThereIs = size_t{1} << 47;
    pthread_getattr_default_np(&usual_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, kMoreThanThereIs);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoMoreThreads() {
    pthread_setattr_default_np(&usual_);
    pthread_attr_destroy(&usual_);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;

 private:
  pthread_attr_t usual_{};
};

TEST_F(Resume, WithoutAnIoThreadCheckpointsAreWrittenInTheStep) {
  TrainOptions options = Resume::options();
  options.save_steps = 3;
  std::optional<NoMoreThreads> no_more;
  after_step_ = [&](int64_t step) {
    if (step == 1) {
      no_more.emplace();
      EXPECT_THROW(std::thread([] {}).join(), std::system_error);
    }
  };
  const Trained trained = train({}, kNever, options);
  EXPECT_EQ(trained.summary.saves.written, 4);
  EXPECT_EQ(problem_with(checkpoint(9), true), std::nullopt);
}

TEST_F(Resume, IsWishedForByWordStepNameOrFolder) {
  const fs::path run = fs::path(folder_);
  if (job_->is_main()) fs::create_directories(run / "checkpoint-5");
  job_->control().idle_barrier();
  using Kind = ResumeWish::Kind;
  const auto kind_of = [&](const char* words) { return resume_wish(words, run).kind; };
  EXPECT_EQ(kind_of("never"), Kind::kNever);
  EXPECT_EQ(kind_of("auto"), Kind::kNewest);
  EXPECT_EQ(kind_of("must"), Kind::kNewestOrError);
  for (const char* words : {"5", "checkpoint-5"})
    EXPECT_EQ(resume_wish(words, run).folder, run / "checkpoint-5") << words;
  EXPECT_EQ(resume_wish("elsewhere/checkpoint-5", run).folder, "elsewhere/checkpoint-5");
}

}  // namespace
}  // namespace lockstep
