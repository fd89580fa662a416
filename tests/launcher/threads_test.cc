// What writes checkpoints beside the training, and the log that all threads share. ./check --full builds this with
// ThreadSanitizer, too, which is why nothing here needs LibTorch.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "launcher/checkpoint/saver.h"
#include "launcher/checkpoint/store.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/job/progress.h"
#include "tests/support/held_thread.h"
#include "tests/support/mpi_main.h"
#include "tests/support/process.h"

namespace lockstep {
namespace {

const std::vector<TensorShape> kTensors = {{"bias", {77}}, {"weight", {300, 100}}};
constexpr int64_t kElements = 30'077;

/// A state that is the number of its step everywhere, and what a step of a training does with the saver.
class Training {
 public:
  Training(Job& job, const std::string& folder)
      : job_(job), state_(kElements), saver_(job, {folder, "run", 1, {}, kTensors, 0, {{"config.json", "{}\n"}}}) {}

  void step(bool save) {
    ++step_;
    std::fill(state_.begin(), state_.end(), static_cast<float>(step_));
    if (save && !saver_.is_busy()) this->save();
    saver_.hear(job_.control().sum(std::vector<double>{saver_.vote()})[0]);
  }
  SaveCounts finish() {
    saver_.finish();
    return saver_.counts();
  }

 private:
  void save() {
    TrainingPlace place;
    place.step = step_;
    place.trainer_state = "{}\n";
    saver_.begin(place, [this](int64_t begin, FlatState& part) {
      for (auto* values : {&part.parameters, &part.m, &part.v})
        std::copy_n(state_.begin() + begin, values->size(), values->begin());
    });
  }

  Job& job_;
  int64_t step_ = 0;
  std::vector<float> state_;
  CheckpointSaver saver_;
};

FlatState state_of(const StoredCheckpoint& stored) {
  FlatState state;
  state.resize(kElements);
  for (const ShardEntry& shard : stored.manifest->shards)
    read_shard(stored.folder, shard, kTensors, state);
  return state;
}

TEST(SaverThreads, WhatIsWrittenIsTheStateOfItsStepWhateverTheTrainingDoesMeanwhile) {
  Job job(tests::mpi());
  const tests::TemporaryFolder own_folder;
  const std::string folder = job.control().broadcast(own_folder.path().string(), 0);
  Training training(job, folder);
  for (int i = 0; i < 300; ++i)
    training.step(i % 10 == 0);
  const SaveCounts counts = training.finish();
  EXPECT_GT(counts.written, 0);
  EXPECT_EQ(counts.failed, 0) << counts.last_problem;
  const auto stored = list_checkpoints(folder);
  EXPECT_EQ(std::ssize(stored), counts.written);
  for (const StoredCheckpoint& checkpoint : stored) {
    ASSERT_EQ(problem_with(checkpoint, true).value_or(""), "");
    const FlatState state = state_of(checkpoint);
    for (const auto* values : {&state.parameters, &state.m, &state.v})
      ASSERT_THAT(*values, testing::Each(static_cast<float>(checkpoint.manifest->step)));
  }
  job.control().idle_barrier();  // rank 0's folder goes with it
}

TEST(SaverThreads, StandBackForTheTraining) {
  Job job(tests::mpi());
  const tests::TemporaryFolder own_folder;
  const std::string folder = job.control().broadcast(own_folder.path().string(), 0);
  const std::string gate = own_folder / "gate";
  setenv("LOCKSTEP_FAILPOINT", formatted("shard-begin:%d:1:hold", job.rank()).c_str(), 1);
  setenv("LOCKSTEP_FAILPOINT_GATE", gate.c_str(), 1);
  unsetenv("LOCKSTEP_IO_NICENESS");
  Training training(job, folder);
  training.step(true);
  std::optional<tests::HeldThread> held;
  EXPECT_TRUE(
      tests::becomes_true([&] { return (held = tests::HeldThread::of(getpid())).has_value(); }, tests::kPatience));
  EXPECT_EQ(getpriority(PRIO_PROCESS, held->thread), std::min(19, getpriority(PRIO_PROCESS, gettid()) + 10));
  std::ofstream(gate) << "open";
  EXPECT_EQ(training.finish().written, 1);
  unsetenv("LOCKSTEP_FAILPOINT");
  job.control().idle_barrier();  // rank 0's folder goes with it
}

TEST(LogThreads, MessagesOfManyThreadsAreWholeLines) {
  const tests::TemporaryFolder folder;
  start_log(tests::mpi().rank(), 1);
  log_to_file(folder / "log");
  constexpr int kThreads = 4, kMessages = 50;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([] {
      for (int i = 0; i < kMessages; ++i)
        log_info("first and last");
    });
  Progress progress(ProgressStyle::kBar, "training", 100, "steps");
  for (int i = 0; i < 20; ++i) {
    progress.update(i, {.full = "loss 1"});
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  threads.clear();
  std::istringstream lines(tests::read_file(folder / "log"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_TRUE(line.ends_with("] first and last")) << line;
  EXPECT_EQ(count, kThreads * kMessages);
}

}  // namespace
}  // namespace lockstep
