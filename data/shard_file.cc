#include "data/shard_file.h"

#include <system_error>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/sha256.h"

namespace lockstep::data {

void require_size(const std::filesystem::path& path, const ShardEntry& entry) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) throw DataError(path.string() + ": cannot be opened: " + error.message() + kShardRemedy);
  if (static_cast<int64_t>(size) != entry.bytes)
    throw DataError(path.string() + ": has " + std::to_string(size) + " bytes, the manifest says " +
                    std::to_string(entry.bytes) + kShardRemedy);
}

std::string read_verified(const std::filesystem::path& path, const ShardEntry& entry) {
  std::string bytes = read_file(path, entry.bytes);
  const std::string found = sha256_of(bytes);
  if (found != entry.sha256)
    throw DataError(path.string() + ": is damaged: its sha256 is " + found + ", the manifest says " + entry.sha256 +
                    kShardRemedy);
  return bytes;
}

}  // namespace lockstep::data
