#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset_manifest.h"
#include "data/packed_batch.h"

namespace lockstep::data {

/// One split of a prepared data set, whole in memory (IMDB: 7 M ids). Immutable; any thread may read.
class ShardedDataset {
 public:
  /// Reads `folder`/dataset.json and every shard of `split`. Each file's size and sha256 is checked before HDF5
  /// opens it. `on_progress`, if given, is called after every shard. Throws DataError for damage (naming the file) and
  /// ContractError if the split does not exist.
  static ShardedDataset open(const std::filesystem::path& folder, const std::string& split,
                             const std::function<void()>& on_progress = {});

  int64_t size() const { return static_cast<int64_t>(labels_.size()); }
  std::span<const int32_t> ids(int64_t example) const;  // valid while the data set lives
  int32_t label(int64_t example) const { return labels_.at(static_cast<size_t>(example)); }
  std::span<const int32_t> labels() const { return labels_; }
  const DatasetManifest& manifest() const { return manifest_; }

 private:
  DatasetManifest manifest_;
  std::vector<int32_t> ids_;      // [tokens]
  std::vector<int64_t> offsets_;  // [examples + 1]
  std::vector<int32_t> labels_;   // [examples]
};

/// Lays `examples` end to end, each cut to `max_length` ids: its first max_length - 1 and its last ([SEP]), which is
/// what tokenizing with that maximum would have given.
PackedBatch pack(const ShardedDataset& dataset, std::span<const int64_t> examples, int max_length);

}  // namespace lockstep::data
