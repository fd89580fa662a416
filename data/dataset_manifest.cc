#include "data/dataset_manifest.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <system_error>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/seal.h"

namespace lockstep::data {
namespace {

using Json = nlohmann::json;
constexpr size_t kMaxManifestBytes = size_t{16} << 20;

[[noreturn]] void fail(const std::string& what) {
  throw DataError(what);  // load_manifest adds file and remedy
}

/// One JSON object, read key by key; every key must be read once and none may be left over.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) fail(where_ + " is " + object.type_name() + ", expected an object");
  }

  const Json& at(const std::string& key) {
    if (!object_.contains(key)) fail(path(key) + " is missing");
    read_.insert(key);
    return object_[key];
  }
  std::string text(const std::string& key) {
    if (!at(key).is_string()) fail(path(key) + " is not a string");
    return at(key).get<std::string>();
  }
  std::string sha256(const std::string& key) {
    std::string hex = text(key);
    if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
      fail(path(key) + " is not a sha256 in lower-case hex");
    return hex;
  }
  bool flag(const std::string& key) {
    if (!at(key).is_boolean()) fail(path(key) + " is neither true nor false");
    return at(key).get<bool>();
  }
  int64_t count(const std::string& key, int64_t least = 0, int64_t most = int64_t{1} << 48) {
    return count_of(at(key), path(key), least, most);
  }
  std::string path(const std::string& key) const { return where_ + "." + key; }
  void finish() const {
    for (const auto& [key, value] : object_.items())
      if (!read_.contains(key)) fail(path(key) + " is not a known key");
  }

  static int64_t count_of(const Json& value, const std::string& where, int64_t least, int64_t most) {
    if (!value.is_number_integer() ||
        (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(most)) ||
        value.get<int64_t>() < least || value.get<int64_t>() > most)
      fail(where + " is " + value.dump().substr(0, 40) + ", expected an integer from " + std::to_string(least));
    return value.get<int64_t>();
  }

 private:
  const Json& object_;
  std::string where_;
  std::set<std::string> read_;
};

ShardEntry parse_shard(const Json& json, const std::string& where) {
  Fields fields(json, where);
  ShardEntry shard;
  shard.file = fields.text("file");
  shard.examples = fields.count("examples", 1);
  shard.tokens = fields.count("tokens", 1);
  shard.bytes = fields.count("bytes", 1);
  shard.sha256 = fields.sha256("sha256");
  fields.finish();
  if (shard.file.empty() || shard.file.front() == '.' || shard.file.find('/') != std::string::npos ||
      shard.file.find('\0') != std::string::npos)
    fail(where + ".file is not the name of a file in the data set's folder");
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
  Fields fields(json, where);
  SplitEntry split;
  split.examples = fields.count("examples", 1);
  split.tokens = fields.count("tokens", 1);
  split.truncated = fields.count("truncated", 0, split.examples);
  split.empty = fields.count("empty", 0, split.examples);
  split.invalid_utf8 = fields.count("invalid_utf8", 0, split.examples);
  Fields per_label(fields.at("examples_per_label"), fields.path("examples_per_label"));
  for (const std::string& label : labels)
    split.examples_per_label[label] = per_label.count(label, 0, split.examples);
  per_label.finish();
  const Json& histogram = fields.at("length_histogram");
  const Json& shards = fields.at("shards");
  if (!histogram.is_array() || !shards.is_array()) fail(where + ": length_histogram and shards must be lists");
  for (const Json& bucket : histogram)
    split.length_histogram.push_back(Fields::count_of(bucket, fields.path("length_histogram"), 0, split.examples));
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
    if (!label.is_string()) fail("labels holds " + label.dump().substr(0, 40) + ", expected strings");
    labels.push_back(label.get<std::string>());
  }
  if (labels.size() < 2 || std::set(labels.begin(), labels.end()).size() != labels.size())
    fail("labels must be at least two different names");
  return labels;
}

DatasetManifest parse_manifest(const Json& json) {
  Fields fields(json, "dataset");
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
  Fields tokenizer(fields.at("tokenizer"), "dataset.tokenizer");
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
void require_unchanged(const Json& json, const std::string& text) {
  if (!json.is_object() || !json.contains("sha256")) return;
  if (const auto problem = problem_with_seal(text)) fail(*problem);
}

/// JSON in which no object names a key twice (a plain parse keeps the last one silently).
Json parse_strictly(const std::string& text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  return Json::parse(text, [&keys](int depth, Json::parse_event_t event, Json& value) {
    if (depth > 16) fail("it is nested more than 16 levels deep");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      fail("the key \"" + value.get<std::string>() + "\" appears twice in one object");
    return true;
  });
}

}  // namespace

DatasetManifest load_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "dataset.json";
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error)
    throw DataError(path.string() + ": cannot be opened, so " + folder.string() +
                    " is not a prepared data set; make one with: lockstep prepare");
  try {
    if (size > kMaxManifestBytes) fail("it has more than " + std::to_string(kMaxManifestBytes) + " bytes");
    const std::string text = read_file(path);
    const Json json = parse_strictly(text);
    require_unchanged(json, text);
    return parse_manifest(json);
  } catch (const Json::exception& damage) {
    throw DataError(path.string() + ": is damaged: " + damage.what() +
                    "; copy the data set again, or prepare it again");
  } catch (const DataError& damage) {
    throw DataError(path.string() + ": is not usable: " + damage.what() +
                    "; copy the data set again, or prepare it again");
  }
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
