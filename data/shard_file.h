#pragma once

#include <filesystem>
#include <string>

#include "data/dataset_manifest.h"

namespace lockstep::data {

/// How complaints about a shard end.
inline constexpr const char* kShardRemedy = "; copy the data set again, or prepare it again";

/// Throws DataError, which names `path`, unless the file has the length that the manifest says.
void require_size(const std::filesystem::path& path, const ShardEntry& entry);

/// The bytes of a shard, once their hash is the manifest's; else DataError, which names `path`. Nothing interprets them
/// before.
std::string read_verified(const std::filesystem::path& path, const ShardEntry& entry);

}  // namespace lockstep::data
