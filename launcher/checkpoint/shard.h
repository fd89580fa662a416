#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "launcher/checkpoint/manifest.h"

namespace lockstep {

/// What a training step changes, in the model's flat order: parameters and AdamW's moments.
struct FlatState {
  std::vector<float> parameters, m, v;

  void resize(int64_t elements);
};

/// "shard-00001-of-00002.safetensors".
std::string shard_name(int rank, int world_size);

/// Writes `part`, a rank's range of the state, as one safetensors file: "parameters/NAME", "m/NAME" and "v/NAME" for
/// each of `slices`, one-dimensional. Throws std::system_error naming the path; CheckpointError if a value is NaN or
/// infinite.
FileReceipt write_shard(const std::filesystem::path& path, const FlatState& part, const std::vector<Slice>& slices,
                        WrittenBytes* written = nullptr);

/// Copies a shard into its place in the whole state, which has its size already. `on_progress`, if given, is called
/// after every slice. Throws CheckpointError.
void read_shard(const std::filesystem::path& folder, const ShardEntry& shard, const std::vector<TensorShape>& tensors,
                FlatState& state, const std::function<void()>& on_progress = {});

}  // namespace lockstep
