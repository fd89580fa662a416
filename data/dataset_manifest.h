#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/wordpiece.h"

namespace lockstep::data {

inline constexpr int kDatasetSchemaVersion = 1;
inline constexpr const char* kDatasetManifestName = "dataset.json";
/// A larger dataset.json is not read.
inline constexpr int64_t kMaxManifestBytes = int64_t{16} << 20;

/// One HDF5 file of a split.
struct ShardEntry {
  std::string file;  // relative to the data set's folder
  int64_t examples = 0;
  int64_t tokens = 0;
  int64_t bytes = 0;
  std::string sha256;
};

struct SplitEntry {
  std::vector<ShardEntry> shards;
  int64_t examples = 0;
  int64_t tokens = 0;
  std::map<std::string, int64_t> examples_per_label;  // by label name
  std::vector<int64_t> length_histogram;              // bucket k: lengths in [32 k, 32 k + 32)
  int64_t truncated = 0;                              // texts cut at max_length
  int64_t empty = 0;                                  // texts without any piece
  int64_t invalid_utf8 = 0;                           // texts in which bytes were replaced
};

/// Everything `train` checks before it believes a data set. Stored as dataset.json beside the shards.
struct DatasetManifest {
  int schema_version = kDatasetSchemaVersion;
  std::string name;                 // shown in tables and the model card: "imdb", "not the known IMDB", "smoke corpus"
  std::string source;               // what it was made from, as given
  std::string source_sha256;        // digest over the labelled texts, independent of packaging and order
  bool known_source = false;        // the digest is the known IMDB's
  std::vector<std::string> labels;  // label id -> name
  int max_length = 0;
  std::string vocabulary_sha256;
  int64_t vocabulary_size = 0;
  TokenizerOptions tokenizer;
  std::map<std::string, SplitEntry> splits;  // "train", "validation", "test"
};

/// Throws DataError if dataset.json is missing, damaged, changed since it was written or of another schema version.
DatasetManifest load_manifest(const std::filesystem::path& folder);
/// The same of the file's text; `where` leads the errors.
DatasetManifest parse_dataset_manifest(std::string_view text, const std::string& where);
/// The JSON text that prepare writes: sorted keys, two-space indent, and at the end its own seal
/// (data/seal.h).
std::string to_json(const DatasetManifest& manifest);

}  // namespace lockstep::data
