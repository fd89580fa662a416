#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

namespace lockstep::data {

/// Writes `bytes` to a file beside `path`, flushes it to disk and renames it over `path`: readers see the old content
/// or the new, never a part. Throws std::system_error naming the path (a full disk, a read-only folder); `path` is then
/// unchanged.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Flushes every file in `staging` and renames the folder to `target`. A folder already at `target` is moved aside
/// first and removed afterwards. Throws std::system_error; `target` is then the old folder, whole.
void publish_folder(const std::filesystem::path& staging, const std::filesystem::path& target);

/// Flushes a file, or a folder's list of names, where the file system can. Throws std::system_error.
void flush_to_disk(const std::filesystem::path& path);

/// The whole content of a file. Throws DataError naming the path if it cannot be read, or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, int64_t most = std::numeric_limits<int64_t>::max());

}  // namespace lockstep::data
