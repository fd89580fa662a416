#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset_manifest.h"

namespace lockstep::data {

/// What `lockstep prepare` is asked to do. Exactly one source: an aclImdb folder or tar.gz, or CSV/JSONL files.
struct PrepareOptions {
  std::filesystem::path imdb;             // aclImdb/ or aclImdb_v1.tar.gz; empty if files are given
  std::filesystem::path train_file;       // .csv, .jsonl or .json (one object per line)
  std::filesystem::path validation_file;  // optional, likewise
  std::filesystem::path test_file;        // optional, likewise
  double validation_fraction = 0;         // of train, the same of each class, when no validation_file is given
  std::string text_column = "text";
  std::string label_column = "label";
  std::filesystem::path model;   // folder with the tokenizer
  std::filesystem::path output;  // the data set's folder; published whole by rename
  std::string name;              // empty: "imdb" or the file's stem
  int max_length = 512;
  int shards = 8;          // per split
  int threads = 0;         // 0: all cores
  uint64_t seed = 42;      // of the validation split
  bool overwrite = false;  // replace an existing data set at `output`
};

/// How options contradict each other; "" if they do not.
std::string contradiction_in(const PrepareOptions& options);

/// What was seen on the way, for the report to the user.
struct PrepareReport {
  DatasetManifest manifest;
  std::map<std::string, int64_t> duplicates_within;  // split -> texts that repeat an earlier one of it
  std::map<std::string, int64_t> duplicates_across;  // "test in train" -> texts of test that train has too
  std::vector<std::string> warnings;                 // full sentences: balance, duplicates, truncation ...
};

/// Called from the preparing thread, at most a few times per second: split, examples done, examples in all (0: not yet
/// known).
using PrepareProgress = std::function<void(const std::string& split, int64_t done, int64_t total)>;

/// Reads, tokenizes on `threads` threads, writes shards and manifest beside `output` and publishes by rename, so that
/// `output` is either absent, the old data set or the whole new one. Throws DataError or ContractError, and
/// std::invalid_argument for options that contradict each other.
PrepareReport prepare(const PrepareOptions& options, const PrepareProgress& progress = {});

}  // namespace lockstep::data
