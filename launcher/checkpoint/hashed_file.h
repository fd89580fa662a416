#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "data/sha256.h"

namespace lockstep {

/// What a file of a checkpoint is known by.
struct FileReceipt {
  std::string name;  // within its folder
  int64_t bytes = 0;
  std::string sha256;
  bool operator==(const FileReceipt&) const = default;
};

/// How much an I/O thread has written, for whoever waits for it.
using WrittenBytes = std::atomic<int64_t>;

/// A new file that is hashed as it is written, in blocks. What is not finished stays behind; its folder is removed as a
/// whole. Full blocks go to the disk directly where the file system can do that (O_DIRECT): the kernel's copy of them
/// into its page cache takes longer than all the rest, and nobody reads them soon.
class HashedFile {
 public:
  /// Throws std::system_error naming the path, also if something is there already.
  explicit HashedFile(std::filesystem::path path, WrittenBytes* written = nullptr);
  ~HashedFile();
  HashedFile(const HashedFile&) = delete;
  HashedFile& operator=(const HashedFile&) = delete;

  void write(std::string_view bytes);
  /// Flushes to disk and closes.
  FileReceipt finish();

 private:
  struct Free {
    void operator()(char* block) const;
  };

  void empty_block();
  void write_directly(bool on);
  [[noreturn]] void fail(const std::string& what) const;

  std::filesystem::path path_;
  WrittenBytes* written_;
  std::unique_ptr<char[], Free> block_;
  size_t filled_ = 0;  // bytes of it
  int descriptor_;
  bool is_direct_ = false;
  int64_t bytes_ = 0;  // in the file
  data::Sha256 hash_;
};

/// Writes a whole small file.
FileReceipt write_hashed(const std::filesystem::path& path, std::string_view bytes);

/// The receipt of a file that is there. Throws DataError if it cannot be read.
FileReceipt receipt_of(const std::filesystem::path& path);

/// What is wrong with `folder`'s file of that receipt; nothing if it has its size and its hash. `on_progress`, if
/// given, is called after every MiB.
std::optional<std::string> problem_with(const std::filesystem::path& folder, const FileReceipt& file,
                                        const std::function<void()>& on_progress = {});
/// The same without reading it: whether it is there, with its size.
std::optional<std::string> problem_with_size(const std::filesystem::path& folder, const FileReceipt& file);

}  // namespace lockstep
