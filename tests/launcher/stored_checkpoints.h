#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "launcher/checkpoint/shard.h"
#include "launcher/checkpoint/store.h"
#include "tests/end_to_end/program.h"
#include "tests/launcher/counted_state.h"

namespace lockstep::tests {

/// A whole checkpoint as `world_size` ranks leave it.
inline std::filesystem::path write_checkpoint(const std::filesystem::path& run_folder, int64_t step, int world_size,
                                              const std::string& run = "run", int64_t attempt = 1) {
  std::filesystem::create_directories(run_folder);
  const std::filesystem::path folder = make_unfinished(run_folder, step);
  CheckpointManifest manifest;
  manifest.run = run;
  manifest.attempt = attempt;
  manifest.step = step;
  manifest.world_size = world_size;
  manifest.facts = {{"learning_rate", "5e-05"}};
  manifest.tensors = kTensors;
  manifest.training = {{"seconds", 0.1}};
  for (int rank = 0; rank < world_size; ++rank) {
    const ElementRange range = range_of_rank(kElements, rank, world_size);
    const auto first = static_cast<float>(1000 * step + range.begin);
    const FlatState part{counted_from(first, range.size()), counted_from(first + 100, range.size()),
                         counted_from(first + 200, range.size())};
    const auto slices = slices_of(range, kTensors);
    manifest.shards.push_back({write_shard(folder / shard_name(rank, world_size), part, slices), slices});
  }
  manifest.files.push_back(write_hashed(folder / "trainer_state.json", "{}\n"));
  write_hashed(folder / kManifestName, to_text(manifest));
  const PublishedCheckpoint published = publish_checkpoint(folder, run_folder, step);
  settle(published);
  return published.folder;
}

inline std::string problem_of_all(const std::filesystem::path& folder) {
  return problem_with(read_checkpoint(folder), true).value_or("");
}

inline std::vector<std::string> names(const std::vector<std::filesystem::path>& folders) {
  std::vector<std::string> found;
  for (const std::filesystem::path& folder : folders)
    found.push_back(folder.filename());
  return found;
}

inline std::vector<std::string> listed(const std::filesystem::path& run_folder) {
  std::vector<std::filesystem::path> folders;
  for (const StoredCheckpoint& stored : list_checkpoints(run_folder))
    folders.push_back(stored.folder);
  return names(folders);
}

class Checkpoints : public testing::Test {
 protected:
  std::filesystem::path run_folder() const { return folder_.path() / "run"; }
  TemporaryFolder folder_;
};

}  // namespace lockstep::tests
