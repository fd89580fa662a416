#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <string>

namespace lockstep::tests {

/// A tmpfs, which goes with it.
class SmallDisk {
 public:
  SmallDisk(const std::string& folder, const char* size = "size=1m") : folder_(folder) {
    std::filesystem::create_directories(folder);
    is_mounted_ = mount("tmpfs", folder.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool is_mounted() const { return is_mounted_; }

 private:
  std::string folder_;
  bool is_mounted_;
};

}  // namespace lockstep::tests
