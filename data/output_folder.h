#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lockstep::data {

/// A folder that is published as a whole, and how the user named it.
struct OutputFolder {
  std::filesystem::path path;
  std::string option;      // "--output"
  bool overwrite = false;  // it may hold a data set, which is replaced
};

/// Throws ContractError, saying how to proceed, unless something may be published at `output`: nothing is there, an
/// empty folder is, or `overwrite` is set and the folder holds a data set and nothing else. A folder that holds other
/// files, or no dataset.json, is never replaced, nor is a link to nothing, nor where a file system is mounted.
void check_output(const OutputFolder& output);

/// A new folder beside `output`, or beside the folder that a link there leads to, in which its content grows; removed
/// with its content unless it is published.
class StagingFolder {
 public:
  /// Creates it, and the folders above `output`. Throws std::system_error.
  explicit StagingFolder(OutputFolder output);
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Folders of other processes for the same output: they run, or were ended and left theirs. Nobody can tell which
  /// from here, on a file system that machines share, so that none is removed.
  std::vector<std::filesystem::path> others() const;
  /// Flushes the folder, checks `output` again, and renames the folder to it. Of several that publish to the same
  /// output without `overwrite` one succeeds; what appears there meanwhile is never removed.
  void publish();

 private:
  OutputFolder output_;
  std::filesystem::path path_;
};

}  // namespace lockstep::data
