#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset_manifest.h"

namespace lockstep::data {

// A token shard is an HDF5 file, in HDF5's oldest format, which every HDF5 reads. Its root group holds exactly three
// datasets of rank 1, contiguous, without filters, little-endian:
//   ids      [tokens]        uint16, or uint32 when the vocabulary has more than 65 536 entries
//   offsets  [examples + 1]  int64, from 0, strictly rising; example i owns ids[offsets[i]] .. ids[offsets[i + 1] - 1]
//   labels   [examples]      int32
// and the attributes schema_version (int32), split and vocabulary_sha256 (strings of fixed length). No text, no times:
// equal content gives equal bytes.

/// What every shard of a split must agree with.
struct ShardContract {
  std::string split;
  std::string vocabulary_sha256;
  int64_t vocabulary_size = 0;
  int64_t classes = 0;
};

/// The content of one shard.
struct TokenShard {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> labels;
};

/// Collects examples in memory and writes them as one file.
class TokenShardWriter {
 public:
  TokenShardWriter(std::filesystem::path path, ShardContract contract);
  /// `ids` must not be empty; throws DataError if an id or the label is out of the contract's range.
  void add(std::span<const int32_t> ids, int32_t label);
  /// Writes the file (whole or not at all) and returns its manifest entry, `file` being
  /// the path's last component. At least one example must have been added. Throws std::system_error naming the file.
  ShardEntry finish();

 private:
  std::filesystem::path path_;
  ShardContract contract_;
  TokenShard shard_;
};

/// Reads a shard from the bytes of its file; nothing else is opened. Throws DataError naming `file` if they are not
/// exactly what the format above says (links, filters, plugins, external or virtual storage are refused; declared sizes
/// are held against the number of bytes), or if ids, offsets or labels are out of range; ContractError if schema, split
/// or vocabulary are others than the contract's. Thread-safe.
/// The caller has compared the bytes' sha256 with the manifest's: HDF5 1.10 itself reads out of bounds on some files
/// with flipped bits (its H5Aopen; seen with AddressSanitizer), so damage must not reach it.
TokenShard parse_token_shard(std::string_view bytes, const std::string& file, const ShardContract& contract);

}  // namespace lockstep::data
