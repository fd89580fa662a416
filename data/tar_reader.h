#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace lockstep::data {

/// A regular file inside an archive. `path` is relative, without "." or ".." components.
struct TarEntry {
  std::string path;
  int64_t size = 0;
};

/// The most that is read of one archive.
struct TarLimits {
  int64_t entries = 1'000'000;        // files and folders; aclImdb has 100 000, and twice that if macOS packed it
  int64_t bytes = int64_t{16} << 30;  // unpacked
};

/// Streams a tar archive (ustar, GNU long names, pax paths and sizes), gzip-compressed or plain, without unpacking
/// anything to disk. One pass, one thread.
///
/// Archives are not trusted. Links, devices and other special entries, absolute paths, "..", wrong header checksums, an
/// archive that ends early, unpacks to more than 200 times its size or is beyond `limits`, and damaged gzip data are
/// refused: every function throws DataError with the archive's name, the entry's and its offset in the unpacked stream.
class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& archive, TarLimits limits = {});
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// The next regular file (folders are passed over), or nothing at the end of the archive; the end is only reported
  /// once the whole stream, with gzip's checksum, has been read.
  std::optional<TarEntry> next();
  /// The bytes of the entry that next() returned last; may be called once per entry, or not at all. Throws DataError if
  /// it is larger than `max_bytes`.
  std::string read(int64_t max_bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::data
