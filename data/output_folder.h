#pragma once

#include <filesystem>
#include <vector>

namespace lockstep::data {

/// Throws ContractError, saying how to proceed, unless a data set may be published at `output`: nothing is there, an
/// empty folder is, or `overwrite` is set and the folder holds a data set and nothing else. A folder that holds other
/// files, or no dataset.json, is never replaced, nor is a link to nothing.
void check_output(const std::filesystem::path& output, bool overwrite);

/// A new folder beside `output`, or beside the folder that a link there leads to, in which a data set grows; removed
/// with its content unless it is published.
class StagingFolder {
 public:
  /// Creates it, and the folders above `output`. Throws std::system_error.
  StagingFolder(const std::filesystem::path& output, bool overwrite);
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Folders of other processes for the same output: they run, or were ended and left theirs. Nobody can tell which
  /// from here, on a file system that machines share, so that none is removed.
  std::vector<std::filesystem::path> others() const;
  /// Checks `output` again and renames the folder to it.
  void publish();

 private:
  std::filesystem::path output_;
  bool overwrite_;
  std::filesystem::path path_;
};

}  // namespace lockstep::data
