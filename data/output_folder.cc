#include "data/output_folder.h"

#include <unistd.h>

#include <string>
#include <system_error>

#include "data/atomic_file.h"
#include "data/dataset_manifest.h"
#include "data/error.h"

namespace lockstep::data {
namespace {

namespace fs = std::filesystem;

bool belongs_to_a_data_set(const fs::path& file) {
  const std::string name = file.filename().string();
  return name == kDatasetManifestName || (file.extension() == ".h5" && name.find("-of-") != std::string::npos);
}

/// Neither at `output` nor at a folder above it.
void require_no_file(const fs::path& output) {
  std::error_code ignored;  // a folder that cannot be looked into is met when it is written
  for (fs::path path = output; !path.empty(); path = path.parent_path()) {
    if (fs::is_directory(path, ignored)) return;
    if (fs::exists(fs::symlink_status(path, ignored)))
      throw ContractError("--output " + output.string() + ": " + path.string() + " is a file; name a folder");
    if (path == path.parent_path()) return;
  }
}

}  // namespace

void check_output(const fs::path& output, bool overwrite) {
  if (output.empty()) throw ContractError("--output must name the folder to write");
  require_no_file(output);
  if (!fs::exists(fs::symlink_status(output)) || (fs::is_directory(output) && fs::is_empty(output))) return;
  for (const fs::directory_entry& file : fs::directory_iterator(output))
    if (!belongs_to_a_data_set(file.path()))
      throw ContractError(output.string() + ": holds " + file.path().filename().string() +
                          ", which is not part of a data set, so it is not replaced; choose another --output");
  if (!overwrite)
    throw ContractError(output.string() +
                        ": already holds a data set; give --overwrite to replace it, or another --output");
}

StagingFolder::StagingFolder(const fs::path& output, bool overwrite)
    : output_(fs::absolute(output).lexically_normal()), overwrite_(overwrite) {
  if (!output_.has_filename()) output_ = output_.parent_path();
  make_folders(output_.parent_path());
  path_ = output_.parent_path() / ".";
  path_ += output_.filename();
  path_ += ".preparing-" + std::to_string(::getpid());
  fs::remove_all(path_);
  fs::create_directory(path_);
}

StagingFolder::~StagingFolder() {
  std::error_code ignored;  // after publish() it is no longer there
  fs::remove_all(path_, ignored);
}

void StagingFolder::publish() {
  check_output(output_, overwrite_);
  publish_folder(path_, output_);
}

}  // namespace lockstep::data
