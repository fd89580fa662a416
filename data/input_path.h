#pragma once

#include <filesystem>
#include <vector>

namespace lockstep::data {

// std::filesystem's questions about what a user named as input. What cannot be looked at (no permission, a circle of
// links, an overlong name) is a DataError that names it, not a filesystem_error, which is the disk's.

/// Whether anything is at `path`, or where a link there leads to.
bool is_there(const std::filesystem::path& path);

bool is_folder(const std::filesystem::path& path);

bool is_file(const std::filesystem::path& path);

/// What is in a folder, in no order.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& folder);

}  // namespace lockstep::data
