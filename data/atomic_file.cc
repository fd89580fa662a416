#include "data/atomic_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "data/error.h"

namespace lockstep::data {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what, const fs::path& path) {
  const int code = errno;
  throw std::system_error(code, std::generic_category(), "cannot " + what + " " + path.string());
}

/// The one owner of a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  /// Some file systems (NFS) report a failed write only here.
  bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

/// Removes a file that was not published.
class Unpublished {
 public:
  explicit Unpublished(const fs::path& path) : path_(path) {}
  ~Unpublished() {
    if (!published_) ::unlink(path_.c_str());
  }
  Unpublished(const Unpublished&) = delete;
  Unpublished& operator=(const Unpublished&) = delete;
  void set_published() { published_ = true; }

 private:
  const fs::path& path_;
  bool published_ = false;
};

/// A name beside `path` that no other process and no other call uses.
fs::path beside(const fs::path& path, const std::string& purpose) {
  for (int i = 0;; ++i) {
    fs::path name = path;
    name += "." + purpose + "." + std::to_string(::getpid()) + "." + std::to_string(i);
    if (!fs::exists(fs::symlink_status(name))) return name;
  }
}

/// A new file; its name is in `path`. EEXIST: another thread took the name in between.
int create_beside(const fs::path& target, fs::path& path) {
  for (;;) {
    path = beside(target, "writing");
    const int number = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (number >= 0) return number;
    if (errno != EEXIST) fail("write", target);
  }
}

void write_all(int descriptor, std::string_view bytes, const fs::path& target) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", target);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// "runs/x/" names the same folder as "runs/x".
fs::path without_trailing_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

void flush_to_disk(const fs::path& path) {
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) fail("open", path);
  // EINVAL, ENOTSUP: file systems that cannot flush a folder; there the rename itself is all there is.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL && errno != ENOTSUP) fail("flush", path);
}

void flush_tree(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() || entry.is_directory()) flush_to_disk(entry.path());
  flush_to_disk(folder);
}

bool exchange_names(const fs::path& a, const fs::path& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
}

void make_folders(const fs::path& path) {
  const fs::path folder = without_trailing_slash(path);
  if (fs::is_directory(folder)) return;
  make_folders(folder_of(folder));
  fs::create_directory(folder);
  flush_to_disk(folder_of(folder));
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  fs::path unpublished_path;
  Descriptor descriptor(create_beside(path, unpublished_path));
  Unpublished unpublished(unpublished_path);
  write_all(descriptor.get(), bytes, path);
  if (::fsync(descriptor.get()) != 0) fail("flush", path);
  if (!descriptor.close()) fail("write", path);
  fs::rename(unpublished_path, path);
  unpublished.set_published();
  flush_to_disk(folder_of(path));
}

namespace {

/// Where the old folder is then.
fs::path put_in_place(const fs::path& staging, const fs::path& target) {
  if (exchange_names(staging, target)) return staging;
  fs::path aside = beside(target, "replaced");
  fs::rename(target, aside);
  try {
    fs::rename(staging, target);
  } catch (const fs::filesystem_error&) {
    ::rename(aside.c_str(), target.c_str());
    throw;
  }
  return aside;
}

/// If a step fails, the old folder stays beside `target`, where nobody removes it.
void put_back(const fs::path& old, const fs::path& staging, const fs::path& target) {
  fs::path aside = old;
  if (old == staging) fs::rename(old, aside = beside(target, "replaced"));
  fs::rename(target, staging);
  fs::rename(aside, target);
}

}  // namespace

bool publish_new_folder(const fs::path& staging, const fs::path& target) {
  if (::rename(staging.c_str(), target.c_str()) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return false;
    fail("rename " + staging.string() + " to", target);
  }
  flush_to_disk(folder_of(target));
  return true;
}

void replace_folder(const fs::path& staging, const fs::path& target,
                    const std::function<void(const fs::path& old)>& inspect) {
  const fs::path old = put_in_place(staging, target);
  try {
    inspect(old);
  } catch (...) {
    put_back(old, staging, target);
    throw;
  }
  flush_to_disk(folder_of(target));
  std::error_code leftover;  // the new folder is published; what cannot be removed of the old one stays beside it
  fs::remove_all(old, leftover);
}

std::string read_file(const fs::path& path, int64_t most) {
  const auto unreadable = [&] {
    return DataError("cannot read " + path.string() + ": " + std::generic_category().message(errno));
  };
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) throw unreadable();
  std::string bytes;
  constexpr size_t kLeast = 1 << 13, kMost = 1 << 20;
  for (ssize_t got = 1; got != 0;) {
    const size_t before = bytes.size(), chunk = std::clamp(before, kLeast, kMost);
    bytes.resize(before + chunk);
    got = ::read(descriptor.get(), bytes.data() + before, chunk);
    if (got < 0 && errno != EINTR) throw unreadable();
    bytes.resize(before + static_cast<size_t>(got < 0 ? 0 : got));
    if (std::ssize(bytes) > most)
      throw DataError(path.string() + ": has more than " + std::to_string(most) + " bytes, which no such file needs");
  }
  return bytes;
}

}  // namespace lockstep::data
