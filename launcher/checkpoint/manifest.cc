#include "launcher/checkpoint/manifest.h"

#include <set>

#include "data/seal.h"
#include "launcher/checkpoint/checkpoint_error.h"

namespace lockstep {

namespace {

using nlohmann::json;

json to_json(const FileReceipt& file) {
  return {{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}};
}

FileReceipt file_of(const json& entry) {
  FileReceipt file{entry.at("name"), entry.at("bytes"), entry.at("sha256")};
  if (file.name.empty() || file.name.find('/') != std::string::npos || file.name.starts_with('.'))
    throw CheckpointError("the file name \"" + file.name + "\" leads out of the folder");
  return file;
}

json to_json(const ShardEntry& shard) {
  json entry = to_json(shard.file);
  entry["slices"] = json::array();
  for (const Slice& slice : shard.slices)
    entry["slices"].push_back({{"tensor", slice.tensor}, {"begin", slice.begin}, {"end", slice.end}});
  return entry;
}

ShardEntry shard_of(const json& entry) {
  ShardEntry shard{file_of(entry), {}};
  for (const json& slice : entry.at("slices"))
    shard.slices.push_back({slice.at("tensor"), slice.at("begin"), slice.at("end")});
  return shard;
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

void require_format(const json& text) {
  const int format = text.at("format");
  if (format != kCheckpointFormat)
    throw CheckpointError("its format is " + std::to_string(format) + ", this program reads " +
                          std::to_string(kCheckpointFormat));
}

void require_whole(const CheckpointManifest& m) {
  if (m.step < 0 || m.epoch < 0 || m.cursor < 0) throw CheckpointError("its step, epoch or cursor is negative");
  if (std::ssize(m.shards) != m.world_size)
    throw CheckpointError("it lists " + std::to_string(m.shards.size()) + " shards of " + std::to_string(m.world_size) +
                          " ranks");
  std::set<std::string> names;
  std::vector<Slice> slices;
  for (const ShardEntry& shard : m.shards) {
    if (!names.insert(shard.file.name).second) throw CheckpointError("it lists " + shard.file.name + " twice");
    slices.insert(slices.end(), shard.slices.begin(), shard.slices.end());
  }
  if (const std::string problem = problem_with_cover(std::move(slices), m.tensors); !problem.empty())
    throw CheckpointError(problem);
}

CheckpointManifest manifest_of(const json& text) {
  require_format(text);
  CheckpointManifest m;
  m.run = text.at("run");
  m.attempt = text.at("attempt");
  m.step = text.at("step");
  m.epoch = text.at("epoch");
  m.cursor = text.at("cursor");
  m.world_size = text.at("world_size");
  m.facts = text.at("facts").get<RunFacts>();
  m.training = text.at("training");
  for (const json& tensor : text.at("tensors"))
    m.tensors.push_back({tensor.at("name"), tensor.at("shape")});
  for (const json& shard : text.at("shards"))
    m.shards.push_back(shard_of(shard));
  for (const json& file : text.at("files"))
    m.files.push_back(file_of(file));
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
    return manifest_of(json::parse(text));
  } catch (const json::exception& error) {
    throw CheckpointError(error.what());
  }
}

}  // namespace lockstep
