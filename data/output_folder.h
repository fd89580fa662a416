#pragma once

#include <filesystem>

namespace lockstep::data {

/// Throws ContractError, saying how to proceed, unless a data set may be published at `output`: nothing is there, an
/// empty folder is, or `overwrite` is set and the folder holds a data set and nothing else. A folder that holds other
/// files is never replaced.
void check_output(const std::filesystem::path& output, bool overwrite);

/// A new folder beside `output` in which a data set grows; removed with its content unless it is published.
class StagingFolder {
 public:
  /// Creates it, and the folders above `output`. Throws std::system_error.
  StagingFolder(const std::filesystem::path& output, bool overwrite);
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Checks `output` again and renames the folder to it.
  void publish();

 private:
  std::filesystem::path output_;
  bool overwrite_;
  std::filesystem::path path_;
};

}  // namespace lockstep::data
