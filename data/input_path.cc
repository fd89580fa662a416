#include "data/input_path.h"

#include <string>
#include <system_error>

#include "data/error.h"

namespace lockstep::data {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const fs::path& path, const std::error_code& error) {
  throw DataError("cannot read " + path.string() + ": " + error.message());
}

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none) fail(path, error);
  return type;
}

}  // namespace

bool is_there(const fs::path& path) {
  return type_of(path) != fs::file_type::not_found;
}

bool is_folder(const fs::path& path) {
  return type_of(path) == fs::file_type::directory;
}

bool is_file(const fs::path& path) {
  return type_of(path) == fs::file_type::regular;
}

std::vector<fs::path> paths_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator file(folder, error); !error && file != fs::directory_iterator(); file.increment(error))
    paths.push_back(file->path());
  if (error) fail(folder, error);
  return paths;
}

}  // namespace lockstep::data
