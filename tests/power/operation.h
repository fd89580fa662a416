#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lockstep::tests {

/// One thing that a program did to a disk, or a note of the test between two of them.
struct Operation {
  enum class Kind : uint32_t {
    kCreate,  // a new file `path`, opened as `file`
    kOpen,    // a file that was there, or a folder (then `number` is 1), opened as `file`
    kWrite,   // `bytes` at `number`
    kResize,  // to `number` bytes
    kFlush,   // fsync of `file`
    kMakeFolder,
    kRemoveFolder,
    kUnlink,
    kRename,    // `path` to `other`, whatever had that name
    kExchange,  // of the names `path` and `other`
    kLink,      // `other` is a second name of `path`
    kMark       // not of the program: `bytes` are a word of the test's on `path`
  };
  Kind kind = Kind::kMark;
  uint64_t file = 0;    // an opened file: unique in the record
  uint64_t number = 0;  // an offset or a size
  std::string path, other;
  std::string bytes;
};

/// In the order in which they happened, all processes together. Paths are relative to the folder that was watched, ".".
using Record = std::vector<Operation>;

/// What recorder.cc left in `file`.
Record read_record(const std::filesystem::path& file);
/// Appends a note of the test's.
void append_mark(const std::filesystem::path& file, const std::string& word, const std::string& path);

}  // namespace lockstep::tests
