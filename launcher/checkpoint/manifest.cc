#include "launcher/checkpoint/manifest.h"

#include <algorithm>
#include <limits>
#include <set>

#include "data/error.h"
#include "data/json_text.h"
#include "data/seal.h"
#include "launcher/checkpoint/checkpoint_error.h"

namespace lockstep {

namespace {

using data::JsonFields;
using nlohmann::json;

// Far above any model and any file; no sum over a manifest overflows.
constexpr int64_t kMostElements = int64_t{1} << 40;
constexpr int64_t kMostBytes = int64_t{1} << 44;
constexpr int64_t kMostRanks = 1 << 20;
constexpr int64_t kBytesOfElement = 12;  // as parameter, m and v

json to_json(const FileReceipt& file) {
  return {{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}};
}

FileReceipt file_of(JsonFields& fields) {
  return {fields.file_name("name"), fields.count("bytes", 0, kMostBytes), fields.sha256("sha256")};
}

FileReceipt file_of(const json& entry, const std::string& where) {
  JsonFields fields(entry, where);
  FileReceipt file = file_of(fields);
  fields.finish();
  return file;
}

json to_json(const ShardEntry& shard) {
  json entry = to_json(shard.file);
  entry["slices"] = json::array();
  for (const Slice& slice : shard.slices)
    entry["slices"].push_back({{"tensor", slice.tensor}, {"begin", slice.begin}, {"end", slice.end}});
  return entry;
}

Slice slice_of(const json& entry, const std::string& where) {
  JsonFields fields(entry, where);
  Slice slice{fields.text("tensor"), fields.count("begin", 0, kMostElements), fields.count("end", 0, kMostElements)};
  fields.finish();
  return slice;
}

ShardEntry shard_of(const json& entry, const std::string& where) {
  JsonFields fields(entry, where);
  ShardEntry shard{file_of(fields), {}};
  for (const json& slice : fields.list("slices"))
    shard.slices.push_back(slice_of(slice, fields.path("slices")));
  fields.finish();
  return shard;
}

TensorShape tensor_of(const json& entry, const std::string& where) {
  JsonFields fields(entry, where);
  TensorShape tensor{fields.text("name"), {}};
  int64_t elements = 1;
  for (const json& side : fields.list("shape")) {
    tensor.shape.push_back(JsonFields::count_of(side, fields.path("shape"), 0, kMostElements));
    if (__builtin_mul_overflow(elements, tensor.shape.back(), &elements) || elements > kMostElements)
      throw CheckpointError("tensor " + tensor.name + " is larger than any model");
  }
  fields.finish();
  return tensor;
}

RunFacts facts_of(const json& entry) {
  RunFacts facts;
  JsonFields fields(entry, "facts");
  for (const auto& [name, value] : entry.items())
    facts[name] = fields.text(name);
  return facts;
}

json to_json(const CheckpointManifest& m) {
  json text = {{"format", kCheckpointFormat},
               {"run", m.run},
               {"attempt", m.attempt},
               {"step", m.step},
               {"epoch", m.epoch},
               {"cursor", m.cursor},
               {"world_size", m.world_size},
               {"facts", m.facts},
               {"training", m.training},
               {"tensors", json::array()},
               {"shards", json::array()},
               {"files", json::array()}};
  for (const TensorShape& tensor : m.tensors)
    text["tensors"].push_back({{"name", tensor.name}, {"shape", tensor.shape}});
  for (const ShardEntry& shard : m.shards)
    text["shards"].push_back(to_json(shard));
  for (const FileReceipt& file : m.files)
    text["files"].push_back(to_json(file));
  return text;
}

/// Parameters, m and v of a shard's elements lie in its file: nobody takes memory for more than is there.
void require_room(const ShardEntry& shard) {
  int64_t elements = 0;
  for (const Slice& slice : shard.slices)
    elements += std::max<int64_t>(slice.size(), 0);
  if (elements > shard.file.bytes / kBytesOfElement)
    throw CheckpointError("it says that " + std::to_string(elements) + " elements lie in the " +
                          std::to_string(shard.file.bytes) + " bytes of " + shard.file.name);
}

void require_whole(const CheckpointManifest& m) {
  if (std::ssize(m.shards) != m.world_size)
    throw CheckpointError("it lists " + std::to_string(m.shards.size()) + " shards of " + std::to_string(m.world_size) +
                          " ranks");
  std::set<std::string> names;
  std::vector<Slice> slices;
  for (const ShardEntry& shard : m.shards) {
    if (!names.insert(shard.file.name).second) throw CheckpointError("it lists " + shard.file.name + " twice");
    require_room(shard);
    slices.insert(slices.end(), shard.slices.begin(), shard.slices.end());
  }
  if (const std::string problem = problem_with_cover(std::move(slices), m.tensors); !problem.empty())
    throw CheckpointError(problem);
}

void require_known_format(int64_t format) {
  if (format < 1 || format > kCheckpointFormat)
    throw CheckpointError("its format is " + std::to_string(format) + ", this program reads 1 to " +
                          std::to_string(kCheckpointFormat));
}

CheckpointManifest manifest_of(const json& text) {
  JsonFields fields(text, "manifest");
  require_known_format(fields.count("format", 0, std::numeric_limits<int>::max()));
  CheckpointManifest m;
  m.run = fields.text("run");
  m.attempt = fields.count("attempt");
  m.step = fields.count("step");
  m.epoch = fields.count("epoch");
  m.cursor = fields.count("cursor");
  m.world_size = static_cast<int>(fields.count("world_size", 1, kMostRanks));
  m.facts = facts_of(fields.at("facts"));
  m.training = fields.at("training");
  for (const json& tensor : fields.list("tensors"))
    m.tensors.push_back(tensor_of(tensor, "tensors"));
  for (const json& shard : fields.list("shards"))
    m.shards.push_back(shard_of(shard, "shards"));
  for (const json& file : fields.list("files"))
    m.files.push_back(file_of(file, "files"));
  fields.sha256("sha256");
  fields.finish();
  require_whole(m);
  return m;
}

}  // namespace

std::string to_text(const CheckpointManifest& manifest) {
  return data::sealed(to_json(manifest).dump(2));
}

CheckpointManifest parse_manifest(std::string_view text) {
  if (const auto problem = data::problem_with_seal(text)) throw CheckpointError(*problem);
  try {
    return manifest_of(data::parse_json(text));
  } catch (const data::DataError& error) {
    throw CheckpointError(error.what());
  }
}

}  // namespace lockstep
