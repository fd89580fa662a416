// How much each rank writes of a checkpoint, and that all of it is one.
#include <gtest/gtest.h>

#include <sstream>

#include "launcher/train/train_checkpoints.h"
#include "tests/support/mpi_main.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

/// Bytes that this process has handed to write().
int64_t bytes_written() {
  std::istringstream facts(tests::read_file("/proc/self/io"));
  std::string key;
  for (int64_t value = 0; facts >> key >> value;)
    if (key == "wchar:") return value;
  return 0;
}

TEST(Saver, RanksWriteEqualSharesOfOneValidCheckpoint) {
  Job job(tests::mpi());
  const tests::TemporaryFolder own_folder;
  const std::string folder = job.control().broadcast(own_folder.path().string(), 0);
  model::DistilBertConfig config = tests::TinyWorld::config();
  config.vocab_size = 30000;
  const std::vector<TensorShape> tensors = tensors_of(model::make_layout(config));
  CheckpointSaver saver(job, {folder, "run", 1, {}, tensors, 0, {}});
  const int64_t before = bytes_written();
  TrainingPlace place;
  place.step = 1;
  saver.begin(place, [](int64_t, FlatState&) {});
  saver.finish();
  const auto written = static_cast<double>(bytes_written() - before);
  double whole = 0;
  const StoredCheckpoint stored = read_checkpoint(std::filesystem::path(folder) / checkpoint_name(1));
  ASSERT_TRUE(stored.manifest) << stored.problem;
  EXPECT_EQ(std::ssize(stored.manifest->shards), job.world_size());
  EXPECT_EQ(problem_with(stored, true), std::nullopt);
  for (const ShardEntry& shard : stored.manifest->shards)
    whole += static_cast<double>(shard.file.bytes);
  EXPECT_NEAR(written, whole / job.world_size(), 0.1 * whole / job.world_size());
  job.control().idle_barrier();  // rank 0's folder goes with it
}

}  // namespace
}  // namespace lockstep
