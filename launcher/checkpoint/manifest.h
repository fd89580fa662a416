#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/checkpoint/hashed_file.h"
#include "launcher/checkpoint/partition.h"

namespace lockstep {

inline constexpr int kCheckpointFormat = 2;
inline constexpr const char* kManifestName = "manifest.json";
inline constexpr int64_t kMaxManifestBytes = int64_t{16} << 20;
/// Every record that was logged, a line of JSON each. In format 1 they stand in the manifest.
inline constexpr const char* kHistoryName = "history.jsonl";
/// The best model so far, of a run that delivers it at its end.
inline constexpr const char* kBestModelName = "best_model.safetensors";

/// One rank's part of parameters, m and v.
struct ShardEntry {
  FileReceipt file;
  std::vector<Slice> slices;
};

/// What a run is: the settings it was started with, and the facts they led to.
using RunFacts = std::map<std::string, std::string>;

/// Everything a checkpoint is: what it consists of, and where the training goes on. docs/checkpoints.md explains the
/// file.
struct CheckpointManifest {
  std::string run;      // identity of the training, kept when it is resumed
  int64_t attempt = 1;  // how often trainings were started in the folder, this one included
  int64_t step = 0;     // optimizer steps done
  int64_t epoch = 0;    // whole epochs done
  int64_t cursor = 0;   // examples done of the present epoch's one global order
  int world_size = 1;   // one shard for each rank
  RunFacts facts;
  std::vector<TensorShape> tensors;  // in flat order
  std::vector<ShardEntry> shards;
  std::vector<FileReceipt> files;  // beside the shards
  nlohmann::json training;         // what the training loop goes on from
};

/// JSON whose last key, "sha256", is the hash of all bytes before it.
std::string to_text(const CheckpointManifest& manifest);

/// Throws CheckpointError unless the text is whole, of a format that this program knows, without keys that it does not
/// know, and its shards hold every element exactly once and have room for them.
CheckpointManifest parse_manifest(std::string_view text);

}  // namespace lockstep
