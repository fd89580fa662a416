#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace lockstep::data {

/// Writes `bytes` to a file beside `path`, flushes it to disk and renames it over `path`: readers see the old content
/// or the new, never a part. Throws std::system_error naming the path (a full disk, a read-only folder); `path` is then
/// unchanged.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// Renames a folder to `target`, where nothing or an empty folder is, and flushes the name. False if anything else is
/// there, whoever put it there and when: it is not touched. Throws std::system_error: nothing has changed then, or only
/// the name could not be flushed.
bool publish_new_folder(const std::filesystem::path& staging, const std::filesystem::path& target);

/// Renames a folder to `target` in place of the one that is there: they change places in one step; where the file
/// system cannot do that, the old one is moved aside first. `inspect` then sees the old one, which nobody finds by its
/// name any more: if it throws, all is put back as it was; else the old one is removed. Throws std::system_error:
/// `target` is then the old folder, whole, or the new one whose name could not be flushed.
void replace_folder(const std::filesystem::path& staging, const std::filesystem::path& target,
                    const std::function<void(const std::filesystem::path& old)>& inspect);

/// Exchanges two names in one step. False where the file system cannot do that, or one of them is not there.
bool exchange_names(const std::filesystem::path& a, const std::filesystem::path& b);

/// Makes a folder and those above it that are missing, each flushed into the one above, so that no power loss takes it
/// away with what is flushed in it later. Throws std::system_error.
void make_folders(const std::filesystem::path& folder);

/// Flushes a file, or a folder's list of names, where the file system can. Throws std::system_error.
void flush_to_disk(const std::filesystem::path& path);

/// Flushes a folder with all files and folders in it. Throws std::system_error.
void flush_tree(const std::filesystem::path& folder);

/// The whole content of a file. Throws DataError naming the path if it cannot be read, or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, int64_t most = std::numeric_limits<int64_t>::max());

}  // namespace lockstep::data
