#include "data/output_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <random>
#include <string>
#include <system_error>
#include <utility>

#include "data/atomic_file.h"
#include "data/dataset_manifest.h"
#include "data/error.h"

namespace lockstep::data {
namespace {

namespace fs = std::filesystem;

bool belongs_to_a_data_set(const fs::directory_entry& file) {
  const std::string name = file.path().filename().string();
  return file.is_regular_file() &&
         (name == kDatasetManifestName || (name.ends_with(".h5") && name.find("-of-") != std::string::npos));
}

[[noreturn]] void refuse(const OutputFolder& output, const fs::directory_entry& file, const std::string& why) {
  throw ContractError(output.path.string() + ": holds " + file.path().filename().string() + why +
                      ", so it is not replaced; choose another " + output.option);
}

/// `folder` is what is, or was, at `output`.
void require_data_set(const OutputFolder& output, const fs::path& folder) {
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    if (!belongs_to_a_data_set(file)) refuse(output, file, ", which is not part of a data set");
    if (!fs::exists(folder / kDatasetManifestName))
      refuse(output, file, std::string(", but no ") + kDatasetManifestName);
  }
}

/// What the names of folders that grow beside `output` begin with.
std::string staging_prefix(const fs::path& output) {
  return std::string(".").append(output.filename().string()).append(".preparing-");
}

/// A number that no other process and no other machine has: process ids repeat in containers.
std::string random_suffix() {
  std::random_device random;
  return std::to_string(random()) + std::to_string(random());
}

/// Neither at `output` nor at a folder above it. Each is looked at once: another process may put it there meanwhile.
void require_no_file(const OutputFolder& output) {
  std::error_code ignored;  // a folder that cannot be looked into is met when it is written
  for (fs::path path = output.path; !path.empty(); path = path.parent_path()) {
    const fs::file_status here = fs::symlink_status(path, ignored);
    const fs::file_status there = fs::is_symlink(here) ? fs::status(path, ignored) : here;
    if (fs::is_directory(there)) return;
    if (fs::exists(here))
      throw ContractError(output.option + " " + output.path.string() + ": " + path.string() +
                          (fs::exists(there) ? " is a file" : " is a link to nothing") + "; name a folder");
    if (path == path.parent_path()) return;
  }
}

/// Such a folder cannot be renamed. Older kernels cannot tell, and refuse when it is.
bool is_mount_point(const fs::path& folder) {
  struct statx facts {};
  return ::statx(AT_FDCWD, folder.c_str(), 0, STATX_TYPE, &facts) == 0 &&
         (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

void check_output(const OutputFolder& output) {
  const fs::path& path = output.path;
  if (path.empty()) throw ContractError(output.option + " must name the folder to write");
  require_no_file(output);
  if (!fs::exists(fs::symlink_status(path))) return;
  if (is_mount_point(path))
    throw ContractError(
        output.option + " " + path.string() +
        ": a file system is mounted there, and a folder is published as a whole; name one in it, such as " +
        (path / "data").string());
  if (fs::is_empty(path)) return;
  require_data_set(output, path);
  if (!output.overwrite)
    throw ContractError(path.string() + ": already holds a data set; give --overwrite to replace it, or another " +
                        output.option);
}

StagingFolder::StagingFolder(OutputFolder output) : output_(std::move(output)) {
  fs::path& path = output_.path;
  path = fs::weakly_canonical(fs::absolute(path));
  if (!path.has_filename()) path = path.parent_path();
  make_folders(path.parent_path());
  do
    path_ = path.parent_path() / (staging_prefix(path) + random_suffix());
  while (!fs::create_directory(path_));
}

std::vector<fs::path> StagingFolder::others() const {
  std::vector<fs::path> others;
  std::error_code ignored;  // a folder that may be written but not listed
  for (const fs::directory_entry& file : fs::directory_iterator(output_.path.parent_path(), ignored))
    if (file.path() != path_ && file.path().filename().string().starts_with(staging_prefix(output_.path)))
      others.push_back(file.path());
  return others;
}

StagingFolder::~StagingFolder() {
  std::error_code ignored;  // after publish() it is no longer there
  fs::remove_all(path_, ignored);
}

void StagingFolder::publish() {
  flush_tree(path_);
  for (;;) {
    check_output(output_);
    if (publish_new_folder(path_, output_.path)) return;
    if (output_.overwrite)
      return replace_folder(path_, output_.path, [this](const fs::path& old) { require_data_set(output_, old); });
  }
}

}  // namespace lockstep::data
