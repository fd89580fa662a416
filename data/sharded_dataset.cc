#include "data/sharded_dataset.h"

#include <algorithm>
#include <stdexcept>

#include "data/error.h"
#include "data/shard_file.h"
#include "data/spelling.h"
#include "data/token_shard.h"

namespace lockstep::data {
namespace {

const SplitEntry& find_split(const DatasetManifest& manifest, const std::filesystem::path& folder,
                             const std::string& split) {
  if (const auto found = manifest.splits.find(split); found != manifest.splits.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, entry] : manifest.splits)
    names.push_back(name);
  throw ContractError(folder.string() + ": has no split \"" + split + "\", only: " + listed(names) +
                      "; prepare it with a " + split + " file, or choose another split");
}

}  // namespace

ShardedDataset ShardedDataset::open(const std::filesystem::path& folder, const std::string& split,
                                    const std::function<void()>& on_progress) {
  ShardedDataset dataset;
  dataset.manifest_ = load_manifest(folder);
  const DatasetManifest& manifest = dataset.manifest_;
  const SplitEntry& entry = find_split(manifest, folder, split);
  const ShardContract contract = {split, manifest.vocabulary_sha256, manifest.vocabulary_size,
                                  std::ssize(manifest.labels)};
  // Before memory is taken for what the manifest declares.
  for (const ShardEntry& file : entry.shards)
    require_size(folder / file.file, file);
  dataset.ids_.reserve(static_cast<size_t>(entry.tokens));
  dataset.offsets_ = {0};
  for (const ShardEntry& file : entry.shards) {
    const std::filesystem::path path = folder / file.file;
    const TokenShard shard = parse_token_shard(read_verified(path, file), path.string(), contract);
    if (std::ssize(shard.labels) != file.examples || std::ssize(shard.ids) != file.tokens)
      throw DataError(path.string() + ": holds " + std::to_string(shard.labels.size()) +
                      " examples, the manifest says " + std::to_string(file.examples) + kShardRemedy);
    const int64_t start = std::ssize(dataset.ids_);
    dataset.ids_.insert(dataset.ids_.end(), shard.ids.begin(), shard.ids.end());
    dataset.labels_.insert(dataset.labels_.end(), shard.labels.begin(), shard.labels.end());
    for (size_t i = 1; i < shard.offsets.size(); ++i)
      dataset.offsets_.push_back(start + shard.offsets[i]);
    if (on_progress) on_progress();
  }
  return dataset;
}

std::span<const int32_t> ShardedDataset::ids(int64_t example) const {
  const int64_t begin = offsets_.at(static_cast<size_t>(example)), end = offsets_.at(static_cast<size_t>(example) + 1);
  return std::span(ids_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

PackedBatch pack(const ShardedDataset& dataset, std::span<const int64_t> examples, int max_length) {
  if (max_length < 2) throw std::invalid_argument("max_length must be at least 2: [CLS] and [SEP]");
  PackedBatch batch;
  for (const int64_t example : examples) {
    const auto ids = dataset.ids(example);
    const size_t length = std::min(ids.size(), static_cast<size_t>(max_length));
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(length));
    batch.ids.back() = ids.back();
    batch.offsets.push_back(static_cast<int32_t>(batch.ids.size()));
    batch.labels.push_back(dataset.label(example));
    batch.example_ids.push_back(example);
  }
  return batch;
}

}  // namespace lockstep::data
