#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace lockstep::fuzz {

/// A file in memory, for readers that take a path.
class MemoryFile {
 public:
  MemoryFile()
      : descriptor_(::memfd_create("input", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
    if (descriptor_ < 0) std::abort();
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::string& with(const uint8_t* bytes, size_t size) {
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, bytes, size, 0) != static_cast<ssize_t>(size))
      std::abort();
    return path_;
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace lockstep::fuzz
