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

/// Flushes every file in `staging` and renames the folder to `target`. A folder already at `target` changes places with
/// it in one step and is removed afterwards; where the file system cannot do that, it is moved aside first. Throws
/// std::system_error; `target` is then the old folder, whole.
void publish_folder(const std::filesystem::path& staging, const std::filesystem::path& target);

/// Exchanges two names in one step. False where the file system cannot do that, or one of them is not there.
bool exchange_names(const std::filesystem::path& a, const std::filesystem::path& b);

/// Makes a folder and those above it that are missing, each flushed into the one above, so that no power loss takes it
/// away with what is flushed in it later. Throws std::system_error.
void make_folders(const std::filesystem::path& folder);

/// Flushes a file, or a folder's list of names, where the file system can. Throws std::system_error.
void flush_to_disk(const std::filesystem::path& path);

/// The whole content of a file. Throws DataError naming the path if it cannot be read, or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, int64_t most = std::numeric_limits<int64_t>::max());

}  // namespace lockstep::data
