// A library for LD_PRELOAD: every change that a program makes below LOCKSTEP_RECORD_ROOT is appended to the file
// LOCKSTEP_RECORD, also from several processes, in the order in which it happens. LOCKSTEP_RECORD_WITHOUT makes the
// file system a lesser one: "exchange" and "links" are then refused, as NFS and FAT refuse them.
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include "tests/power/operation.h"
#include "tests/power/record_format.h"
#include "tests/support/preload.h"

namespace {

namespace fs = std::filesystem;
using lockstep::tests::Operation;
using lockstep::tests::real;
using lockstep::tests::RecordHead;
using lockstep::tests::variable;
using Kind = Operation::Kind;

#define REAL(name)                                             \
  (*[] {                                                       \
    static auto* const function = real<decltype(name)>(#name); \
    return function;                                           \
  }())

/// One at a time over all threads and processes, so that the record has the order of what happened.
class Turn {
 public:
  Turn() : thread_(mutex()) { flock(descriptor(), LOCK_EX); }
  ~Turn() {
    const int code = errno;
    flock(descriptor(), LOCK_UN);
    errno = code;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  static int descriptor() {
    static const int number =
        REAL(open)(variable("LOCKSTEP_RECORD").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return number;
  }

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex mutex;
    return mutex;
  }
  std::lock_guard<std::recursive_mutex> thread_;
};

const std::string& root() {
  static const std::string path = variable("LOCKSTEP_RECORD_ROOT");
  return path;
}

std::string path_of_descriptor(int descriptor) {
  std::array<char, 4096> path{};
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : "";
}

/// Relative to the root, which is "."; "" for what lies elsewhere.
std::string watched(const char* name, int folder = AT_FDCWD) {
  if (root().empty() || name == nullptr) return "";
  fs::path path = name;
  if (path.is_relative())
    path = fs::path(folder == AT_FDCWD ? fs::current_path().string() : path_of_descriptor(folder)) / path;
  std::string text = path.lexically_normal().string();
  if (text.ends_with('/')) text.pop_back();
  if (text == root()) return ".";
  if (!text.starts_with(root() + "/")) return "";
  return text.substr(root().size() + 1);
}

/// Our number of an opened file; 0: not watched.
constexpr int kDescriptors = 4096;
std::array<std::atomic<uint64_t>, kDescriptors> opened;

std::atomic<uint64_t>& number_of(int descriptor) {
  static std::atomic<uint64_t> none;
  if (descriptor < 0 || descriptor >= kDescriptors) {
    none = 0;
    return none;
  }
  return opened[static_cast<size_t>(descriptor)];
}

uint64_t new_number() {
  static std::atomic<uint64_t> last{0};
  return static_cast<uint64_t>(getpid()) << 32 | ++last;
}

void append(Kind kind, uint64_t file, uint64_t number, const std::string& path, const std::string& other = "",
            const std::string& bytes = "") {
  const RecordHead head{static_cast<uint32_t>(kind),
                        static_cast<uint32_t>(path.size()),
                        static_cast<uint32_t>(other.size()),
                        static_cast<uint32_t>(bytes.size()),
                        file,
                        number};
  const std::string whole = std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + path + other + bytes;
  if (REAL(write)(Turn::descriptor(), whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) abort();
}

/// Opens by `open_it`; what was watched has a number from then on.
template <typename Open>
int opening(const std::string& path, int flags, const Open& open_it) {
  if (path.empty()) return open_it();
  const Turn turn;
  struct stat before {};
  const bool was_there = lstat((root() + "/" + path).c_str(), &before) == 0;
  const int descriptor = open_it();
  if (descriptor < 0) return descriptor;
  const uint64_t number = number_of(descriptor) = new_number();
  append(was_there ? Kind::kOpen : Kind::kCreate, number, was_there && S_ISDIR(before.st_mode) ? 1 : 0, path);
  if (was_there && (flags & O_TRUNC) != 0) append(Kind::kResize, number, 0, "");
  return descriptor;
}

/// Stdio opens and writes within the C library, where nobody can look on.
FILE* opening(const char* name, const char* mode, FILE* (*open_it)(const char*, const char*)) {
  FILE* file = nullptr;
  opening(watched(name), mode[0] == 'w' ? O_TRUNC : 0, [&] {
    file = open_it(name, mode);
    return file != nullptr ? fileno(file) : -1;
  });
  return file;
}

/// `size` bytes were written at `offset`, read back from the file itself.
void note_written(int descriptor, off_t offset, ssize_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  const int reader = REAL(open)(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_RDONLY | O_CLOEXEC);
  if (pread(reader, bytes.data(), bytes.size(), offset) != size) abort();
  REAL(close)(reader);
  append(Kind::kWrite, number_of(descriptor), static_cast<uint64_t>(offset), "", "", bytes);
}

/// Writes by `write_it` where the file stands.
template <typename Write>
ssize_t writing(int descriptor, const Write& write_it) {
  if (number_of(descriptor) == 0) return write_it();
  const Turn turn;
  const ssize_t size = write_it();
  if (size > 0) note_written(descriptor, lseek(descriptor, 0, SEEK_CUR) - size, size);
  return size;
}

template <typename Write>
ssize_t writing_at(int descriptor, off_t offset, const Write& write_it) {
  if (number_of(descriptor) == 0) return write_it();
  const Turn turn;
  const ssize_t size = write_it();
  if (size > 0) note_written(descriptor, offset, size);
  return size;
}

/// Something on an opened file that answers 0 if it went well.
template <typename Change>
int changing(int descriptor, Kind kind, uint64_t number, const Change& change) {
  if (number_of(descriptor) == 0) return change();
  const Turn turn;
  const int answer = change();
  if (answer == 0) append(kind, number_of(descriptor), number, "");
  return answer;
}

/// Something on names that answers 0 if it went well.
template <typename Change>
int naming(Kind kind, const std::string& path, const std::string& other, const Change& change) {
  if (path.empty() && other.empty()) return change();
  const Turn turn;
  const int answer = change();
  if (answer == 0) append(kind, 0, 0, path, other);
  return answer;
}

int refuse(int code) {
  errno = code;
  return -1;
}

bool lacks(const char* ability) {
  return variable("LOCKSTEP_RECORD_WITHOUT").find(ability) != std::string::npos;
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return lstat((root() + "/" + path).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// The size after fallocate(); the number that note of it needs.
uint64_t size_of(int descriptor) {
  struct stat status {};
  fstat(descriptor, &status);
  return static_cast<uint64_t>(status.st_size);
}

template <typename Allocate>
int allocating(int descriptor, const Allocate& allocate) {
  if (number_of(descriptor) == 0) return allocate();
  const Turn turn;
  const uint64_t before = size_of(descriptor);
  const int answer = allocate();
  if (const uint64_t after = size_of(descriptor); after != before)
    append(Kind::kResize, number_of(descriptor), after, "");
  return answer;
}

mode_t mode_among(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_among(flags, arguments);
  va_end(arguments);
  return opening(watched(name), flags, [&] { return REAL(open)(name, flags, mode); });
}
int open64(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_among(flags, arguments);
  va_end(arguments);
  return opening(watched(name), flags, [&] { return REAL(open)(name, flags, mode); });
}
int openat(int folder, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_among(flags, arguments);
  va_end(arguments);
  return opening(watched(name, folder), flags, [&] { return REAL(openat)(folder, name, flags, mode); });
}
FILE* fopen(const char* name, const char* mode) {
  return opening(name, mode, REAL(fopen));
}
FILE* fopen64(const char* name, const char* mode) {
  return opening(name, mode, REAL(fopen64));
}
int close(int descriptor) {
  number_of(descriptor) = 0;
  return REAL(close)(descriptor);
}
int fclose(FILE* file) {
  number_of(fileno(file)) = 0;
  return REAL(fclose)(file);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  return writing(descriptor, [&] { return REAL(write)(descriptor, bytes, size); });
}
ssize_t writev(int descriptor, const iovec* parts, int count) {
  return writing(descriptor, [&] { return REAL(writev)(descriptor, parts, count); });
}
ssize_t sendfile(int to, int from, off_t* offset, size_t size) {
  return writing(to, [&] { return real<ssize_t(int, int, off_t*, size_t)>("sendfile")(to, from, offset, size); });
}
ssize_t sendfile64(int to, int from, off_t* offset, size_t size) {
  return sendfile(to, from, offset, size);
}
ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size, unsigned flags) {
  if (number_of(to) != 0) return refuse(ENOSYS);  // callers then copy in another way
  return REAL(copy_file_range)(from, from_offset, to, to_offset, size, flags);
}
ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  return writing_at(descriptor, offset, [&] { return REAL(pwrite)(descriptor, bytes, size, offset); });
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) {
  return pwrite(descriptor, bytes, size, offset);
}

int fsync(int descriptor) {
  return changing(descriptor, Kind::kFlush, 0, [&] { return REAL(fsync)(descriptor); });
}
int fdatasync(int descriptor) {
  return changing(descriptor, Kind::kFlush, 0, [&] { return REAL(fdatasync)(descriptor); });
}
int ftruncate(int descriptor, off_t size) noexcept {
  return changing(descriptor, Kind::kResize, static_cast<uint64_t>(size),
                  [&] { return REAL(ftruncate)(descriptor, size); });
}
int ftruncate64(int descriptor, off_t size) noexcept {
  return ftruncate(descriptor, size);
}
int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return allocating(descriptor, [&] { return REAL(fallocate)(descriptor, mode, offset, size); });
}
int fallocate64(int descriptor, int mode, off_t offset, off_t size) {
  return fallocate(descriptor, mode, offset, size);
}
int posix_fallocate(int descriptor, off_t offset, off_t size) {
  return allocating(descriptor, [&] { return REAL(posix_fallocate)(descriptor, offset, size); });
}

int mkdir(const char* name, mode_t mode) noexcept {
  return naming(Kind::kMakeFolder, watched(name), "", [&] { return REAL(mkdir)(name, mode); });
}
int rmdir(const char* name) noexcept {
  return naming(Kind::kRemoveFolder, watched(name), "", [&] { return REAL(rmdir)(name); });
}
int unlink(const char* name) noexcept {
  return naming(Kind::kUnlink, watched(name), "", [&] { return REAL(unlink)(name); });
}
int unlinkat(int folder, const char* name, int flags) noexcept {
  return naming((flags & AT_REMOVEDIR) != 0 ? Kind::kRemoveFolder : Kind::kUnlink, watched(name, folder), "",
                [&] { return REAL(unlinkat)(folder, name, flags); });
}
int remove(const char* name) noexcept {
  const std::string path = watched(name);
  const Kind kind = is_folder(path) ? Kind::kRemoveFolder : Kind::kUnlink;
  return naming(kind, path, "", [&] { return REAL(remove)(name); });
}
int rename(const char* from, const char* to) noexcept {
  return naming(Kind::kRename, watched(from), watched(to), [&] { return REAL(rename)(from, to); });
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if ((flags & RENAME_EXCHANGE) != 0 && lacks("exchange")) return refuse(EINVAL);
  return naming((flags & RENAME_EXCHANGE) != 0 ? Kind::kExchange : Kind::kRename, watched(from, from_folder),
                watched(to, to_folder), [&] { return REAL(renameat2)(from_folder, from, to_folder, to, flags); });
}
int link(const char* from, const char* to) noexcept {
  if (lacks("links")) return refuse(EPERM);
  return naming(Kind::kLink, watched(from), watched(to), [&] { return REAL(link)(from, to); });
}

}  // extern "C"
