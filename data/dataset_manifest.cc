#include "data/dataset_manifest.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <system_error>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/json_text.h"
#include "data/labels.h"
#include "data/seal.h"
#include "data/spelling.h"

namespace lockstep::data {
namespace {

using Json = nlohmann::json;
// Far above any data set; no sum over a manifest of that size overflows.
constexpr int64_t kMaxShardBytes = int64_t{1} << 44;
constexpr int64_t kMostExamples = int64_t{1} << 40;
constexpr int64_t kMostTokens = int64_t{1} << 44;

[[noreturn]] void fail(const std::string& what) {
  throw DataError(what);  // parse_dataset_manifest() adds file and remedy
}

ShardEntry parse_shard(const Json& json, const std::string& where) {
  JsonFields fields(json, where);
  ShardEntry shard;
  shard.file = fields.file_name("file");
  shard.bytes = fields.count("bytes", 1, kMaxShardBytes);
  // An id takes two bytes or more, a label and an offset twelve.
  shard.tokens = fields.count("tokens", 1, shard.bytes / 2);
  shard.examples = fields.count("examples", 1, shard.bytes / 12);
  shard.sha256 = fields.sha256("sha256");
  fields.finish();
  return shard;
}

void check_sums(const SplitEntry& split, const std::string& where) {
  int64_t examples = 0, tokens = 0, labelled = 0;
  for (const ShardEntry& shard : split.shards)
    examples += shard.examples, tokens += shard.tokens;
  for (const auto& [label, count] : split.examples_per_label)
    labelled += count;
  const int64_t binned = std::accumulate(split.length_histogram.begin(), split.length_histogram.end(), int64_t{0});
  if (examples != split.examples || labelled != split.examples || binned != split.examples)
    fail(where + ".examples is " + std::to_string(split.examples) + ", but its shards, labels and lengths count " +
         std::to_string(examples) + ", " + std::to_string(labelled) + " and " + std::to_string(binned));
  if (tokens != split.tokens) fail(where + ".tokens is not the sum over its shards");
}

SplitEntry parse_split(const Json& json, const std::string& where, const std::vector<std::string>& labels) {
  JsonFields fields(json, where);
  SplitEntry split;
  split.examples = fields.count("examples", 1, kMostExamples);
  split.tokens = fields.count("tokens", 1, kMostTokens);
  split.truncated = fields.count("truncated", 0, split.examples);
  split.empty = fields.count("empty", 0, split.examples);
  split.invalid_utf8 = fields.count("invalid_utf8", 0, split.examples);
  JsonFields per_label(fields.at("examples_per_label"), fields.path("examples_per_label"));
  for (const std::string& label : labels)
    split.examples_per_label[label] = per_label.count(label, 0, split.examples);
  per_label.finish();
  for (const Json& bucket : fields.list("length_histogram"))
    split.length_histogram.push_back(JsonFields::count_of(bucket, fields.path("length_histogram"), 0, split.examples));
  const Json& shards = fields.list("shards");
  for (size_t i = 0; i < shards.size(); ++i)
    split.shards.push_back(parse_shard(shards[i], fields.path("shards[" + std::to_string(i) + "]")));
  fields.finish();
  check_sums(split, where);
  return split;
}

std::vector<std::string> parse_labels(const Json& json) {
  std::vector<std::string> labels;
  if (!json.is_array()) fail("labels is not a list");
  for (const Json& label : json) {
    if (!label.is_string()) fail("labels holds " + excerpt(label.dump(), 40) + ", expected strings");
    labels.push_back(label.get<std::string>());
  }
  if (labels.size() < 2 || std::set(labels.begin(), labels.end()).size() != labels.size())
    fail("labels must be at least two different names");
  if (std::ssize(labels) > kMostLabels)
    fail("labels are " + std::to_string(labels.size()) + ", expected at most " + std::to_string(kMostLabels));
  return labels;
}

DatasetManifest manifest_of(const Json& json) {
  JsonFields fields(json, "dataset");
  DatasetManifest manifest;
  manifest.schema_version = static_cast<int>(fields.count("schema_version", 0, std::numeric_limits<int>::max()));
  if (manifest.schema_version != kDatasetSchemaVersion)
    fail("it has schema version " + std::to_string(manifest.schema_version) + ", this program reads " +
         std::to_string(kDatasetSchemaVersion));
  manifest.name = fields.text("name");
  manifest.source = fields.text("source");
  manifest.source_sha256 = fields.sha256("source_sha256");
  manifest.known_source = fields.flag("known_source");
  manifest.labels = parse_labels(fields.at("labels"));
  manifest.max_length = static_cast<int>(fields.count("max_length", 2, std::numeric_limits<int>::max()));
  manifest.vocabulary_sha256 = fields.sha256("vocabulary_sha256");
  manifest.vocabulary_size = fields.count("vocabulary_size", 1, std::numeric_limits<int32_t>::max());
  JsonFields tokenizer(fields.at("tokenizer"), "dataset.tokenizer");
  manifest.tokenizer.do_lower_case = tokenizer.flag("do_lower_case");
  manifest.tokenizer.strip_accents = tokenizer.flag("strip_accents");
  manifest.tokenizer.tokenize_chinese_chars = tokenizer.flag("tokenize_chinese_chars");
  tokenizer.finish();
  const Json& splits = fields.at("splits");
  if (!splits.is_object()) fail("splits is not an object");
  for (const auto& [name, split] : splits.items()) {
    if (name != "train" && name != "validation" && name != "test") fail("splits." + name + " is not a known split");
    manifest.splits[name] = parse_split(split, "splits." + name, manifest.labels);
  }
  if (json.contains("sha256")) fields.sha256("sha256");
  fields.finish();
  return manifest;
}

/// Data sets of before the seal have none.
void require_unchanged(const Json& json, std::string_view text) {
  if (!json.is_object() || !json.contains("sha256")) return;
  if (const auto problem = problem_with_seal(text)) fail(*problem);
}

}  // namespace

DatasetManifest parse_dataset_manifest(std::string_view text, const std::string& where) {
  constexpr const char* kRemedy = "; copy the data set again, or prepare it again";
  Json json;
  try {
    json = parse_json(text);
  } catch (const DataError& damage) {
    throw DataError(where + ": is damaged: " + damage.what() + kRemedy);
  }
  try {
    require_unchanged(json, text);
    return manifest_of(json);
  } catch (const DataError& damage) {
    throw DataError(where + ": is not usable: " + damage.what() + kRemedy);
  }
}

DatasetManifest load_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kDatasetManifestName;
  if (!std::filesystem::exists(path))
    throw DataError(path.string() + ": cannot be opened, so " + folder.string() +
                    " is not a prepared data set; make one with: lockstep prepare");
  return parse_dataset_manifest(read_file(path, kMaxManifestBytes), path.string());
}

std::string to_json(const DatasetManifest& manifest) {
  Json splits = Json::object();
  for (const auto& [name, split] : manifest.splits) {
    Json shards = Json::array();
    for (const ShardEntry& shard : split.shards)
      shards.push_back({{"file", shard.file},
                        {"examples", shard.examples},
                        {"tokens", shard.tokens},
                        {"bytes", shard.bytes},
                        {"sha256", shard.sha256}});
    splits[name] = {{"shards", shards},
                    {"examples", split.examples},
                    {"tokens", split.tokens},
                    {"examples_per_label", split.examples_per_label},
                    {"length_histogram", split.length_histogram},
                    {"truncated", split.truncated},
                    {"empty", split.empty},
                    {"invalid_utf8", split.invalid_utf8}};
  }
  const Json json = {{"schema_version", manifest.schema_version},
                     {"name", manifest.name},
                     {"source", manifest.source},
                     {"source_sha256", manifest.source_sha256},
                     {"known_source", manifest.known_source},
                     {"labels", manifest.labels},
                     {"max_length", manifest.max_length},
                     {"vocabulary_sha256", manifest.vocabulary_sha256},
                     {"vocabulary_size", manifest.vocabulary_size},
                     {"tokenizer",
                      {{"do_lower_case", manifest.tokenizer.do_lower_case},
                       {"strip_accents", manifest.tokenizer.strip_accents},
                       {"tokenize_chinese_chars", manifest.tokenizer.tokenize_chinese_chars}}},
                     {"splits", splits}};
  return sealed(json.dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace lockstep::data
