#include "data/tar_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "data/error.h"

namespace lockstep::data {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kMaxEntry = int64_t{1} << 40;  // a declared size above this is damage, not data
// Text shrinks to a third or a tenth. Beyond the first part, an archive that grows more than this was made to fill time
// and disks.
constexpr int64_t kMaxRatio = 200;
constexpr int64_t kUnsuspicious = int64_t{64} << 20;
constexpr int64_t kMaxExtension = int64_t{1} << 20;  // a long name or a pax header

using Block = std::array<char, kBlock>;

/// A field of the header, up to its first NUL.
std::string_view text_field(const Block& block, size_t offset, size_t length) {
  const std::string_view field(block.data() + offset, length);
  return field.substr(0, field.find('\0'));
}

/// Octal digits, padded with spaces and NULs, or GNU's big-endian binary form (first bit set). -1 if it is neither.
int64_t number_field(const Block& block, size_t offset, size_t length) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(block.data()) + offset;
  int64_t value = 0;
  if (bytes[0] & 0x80) {
    for (size_t i = 0; i < length; ++i) {
      if (value > kMaxEntry) return -1;
      value = value * 256 + (i == 0 ? bytes[0] & 0x7F : bytes[i]);
    }
    return value;
  }
  std::string_view digits = text_field(block, offset, length);
  while (!digits.empty() && digits.front() == ' ')
    digits.remove_prefix(1);
  while (!digits.empty() && digits.back() == ' ')
    digits.remove_suffix(1);
  const char* end = digits.data() + digits.size();
  const auto [stopped_at, error] = std::from_chars(digits.data(), end, value, 8);
  return digits.empty() || (error == std::errc{} && stopped_at == end && value >= 0) ? value : -1;
}

/// The sum of the header's bytes, its own field counted as spaces.
int64_t checksum(const Block& block) {
  int64_t sum = 8 * ' ';
  for (size_t i = 0; i < block.size(); ++i)
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(block[i]);
  return sum;
}

std::string path_of(const Block& block) {
  const std::string name(text_field(block, 0, 100));
  const bool posix = std::string_view(block.data() + 257, 6) == std::string_view("ustar\0", 6);
  const std::string_view prefix = posix ? text_field(block, 345, 155) : std::string_view{};
  return prefix.empty() ? name : std::string(prefix) + "/" + name;
}

const char* name_of_type(char type) {
  switch (type) {
    case '1':
      return "a hard link";
    case '2':
      return "a symbolic link";
    case '3':
    case '4':
      return "a device";
    case '6':
      return "a named pipe";
    case 'S':
      return "a sparse file";
    default:
      return "an entry of unknown type";
  }
}

/// Quoted, with control characters as '?': an archive's names end up on terminals.
std::string quoted(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return '"' + text + '"';
}

}  // namespace

struct TarReader::Impl {
  std::string archive;
  TarLimits limits;
  gzFile file = nullptr;
  int64_t entries = 0;    // so far, folders included
  int64_t position = 0;   // in the unpacked stream
  int64_t header_at = 0;  // of the current entry
  TarEntry entry;
  int64_t unread = 0;   // of the entry's bytes
  int64_t padding = 0;  // up to the next block
  bool ended = false;

  ~Impl() {
    if (file) gzclose_r(file);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(archive + ": " + what + "; the archive is damaged or not safe to read, download or build it again");
  }
  [[noreturn]] void fail_entry(const std::string& path, const std::string& what) const {
    fail("entry " + quoted(path) + " at byte " + std::to_string(header_at) + " " + what);
  }

  void require_within(int64_t count, int64_t most, const char* what) const {
    if (count > most)
      throw DataError(
          archive + ": has more than " + std::to_string(most) + " " + what +
          ", the most that are read of one archive; if it is what you expect, unpack it and name its folder");
  }

  int64_t read_some(char* to, int64_t count) {
    const int got = gzread(file, to, static_cast<unsigned>(count));
    int code = Z_OK;
    const char* message = gzerror(file, &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      const std::string at = " near byte " + std::to_string(position) + " of the unpacked stream";
      if (code == Z_BUF_ERROR) fail("the gzip data ends early" + at);
      fail("the gzip data cannot be read" + at + " (" + (code == Z_ERRNO ? std::strerror(errno) : message) + ")");
    }
    position += got;
    if (position > kUnsuspicious && position / kMaxRatio > gzoffset(file))
      fail("it unpacks to more than " + std::to_string(kMaxRatio) + " times its size");
    require_within(position, limits.bytes, "bytes when unpacked");
    return got;
  }

  void read_all(char* to, int64_t count) {
    const int64_t wanted_to = position + count;
    while (position < wanted_to) {
      const int64_t got = read_some(to, std::min<int64_t>(wanted_to - position, 1 << 20));
      if (got == 0) fail("it ends at byte " + std::to_string(position) + ", inside an entry or before the end marker");
      to += got;
    }
  }

  void skip(int64_t count) {
    std::array<char, 16384> scratch;
    for (; count > 0; count -= std::min<int64_t>(count, scratch.size()))
      read_all(scratch.data(), std::min<int64_t>(count, scratch.size()));
  }

  /// The body of the current header: a long name or pax records.
  std::string read_extension(int64_t size) {
    if (size > kMaxExtension) fail_entry("(extended header)", "declares " + std::to_string(size) + " bytes of names");
    std::string body(static_cast<size_t>(size), '\0');
    read_all(body.data(), size);
    skip((kBlock - size % kBlock) % kBlock);
    return body;
  }

  /// Reads to the end of the file, so that gzip's checksum over everything is checked.
  void drain() {
    std::array<char, 16384> scratch;
    while (read_some(scratch.data(), scratch.size()) > 0) {
    }
    ended = true;
  }

  void parse_pax(std::string_view records, std::string* path, std::optional<int64_t>* size) const;
  std::string safe_path(const std::string& path) const;
  bool next_header();
};

/// Records of the form "LENGTH KEY=VALUE\n", LENGTH counting the whole record.
void TarReader::Impl::parse_pax(std::string_view records, std::string* path, std::optional<int64_t>* size) const {
  while (!records.empty()) {
    size_t length = 0;
    const auto [space, error] = std::from_chars(records.data(), records.data() + records.size(), length);
    const size_t key_at = static_cast<size_t>(space - records.data()) + 1;
    if (error != std::errc{} || length <= key_at || length > records.size() || *space != ' ' ||
        records[length - 1] != '\n')
      fail_entry("(pax header)", "has a malformed record");
    const std::string_view record = records.substr(key_at, length - key_at - 1);
    const size_t equals = std::min(record.find('='), record.size());
    const std::string_view key = record.substr(0, equals);
    const std::string_view value = equals < record.size() ? record.substr(equals + 1) : std::string_view{};
    if (key == "path") *path = value;
    if (key.starts_with("GNU.sparse.")) fail_entry(std::string(value), "is a sparse file; only regular files are read");
    if (key == "size") {
      int64_t bytes = -1;
      const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), bytes);
      if (bad != std::errc{} || end != value.data() + value.size() || bytes < 0)
        fail_entry("(pax header)", "has a bad size");
      *size = bytes;
    }
    records.remove_prefix(length);
  }
}

/// `path` without "." components; refused if it could lead out of a folder it is unpacked to.
std::string TarReader::Impl::safe_path(const std::string& path) const {
  if (path.empty()) fail_entry(path, "has no name");
  if (path.front() == '/') fail_entry(path, "has an absolute path");
  if (path.find('\0') != std::string::npos) fail_entry(path, "has a NUL byte in its path");
  std::string clean;
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string component = path.substr(start, end - start);
    if (component == "..") fail_entry(path, "leads out of the archive (\"..\")");
    if (!component.empty() && component != ".") clean += (clean.empty() ? "" : "/") + component;
    start = end + 1;
  }
  return clean;
}

/// Moves to the next regular file; false at the end of the archive.
bool TarReader::Impl::next_header() {
  std::string long_name, pax_path;
  std::optional<int64_t> pax_size;
  for (Block block;;) {
    header_at = position;
    read_all(block.data(), kBlock);
    if (std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) return false;
    if (number_field(block, 148, 8) != checksum(block))
      fail(header_at == 0 ? "it is not a tar archive (no valid header at byte 0)"
                          : "the header at byte " + std::to_string(header_at) + " has a wrong checksum");
    const char type = block[156];
    const std::string path = !pax_path.empty() ? pax_path : !long_name.empty() ? long_name : path_of(block);
    const bool extension = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    const int64_t size = !extension && pax_size ? *pax_size : number_field(block, 124, 12);
    if (size < 0 || size > kMaxEntry) fail_entry(path, "has an impossible size");
    if (extension) {
      const std::string body = read_extension(size);
      if (type == 'L') long_name = body.substr(0, body.find('\0'));
      if (type == 'x') parse_pax(body, &pax_path, &pax_size);
      continue;  // 'K' precedes a link, which is refused; 'g' holds comments and defaults that we do not use
    }
    const bool regular = type == '0' || type == '\0' || type == '7';
    if (!regular && type != '5')
      fail_entry(path, std::string("is ") + name_of_type(type) + "; only regular files are read");
    const std::string clean = safe_path(path);
    require_within(++entries, limits.entries, "files and folders");
    if (type == '5' || path.back() == '/') {
      skip(size + (kBlock - size % kBlock) % kBlock);
      long_name.clear(), pax_path.clear(), pax_size.reset();
      continue;
    }
    if (clean.empty()) fail_entry(path, "is a file without a name");
    entry = {clean, size};
    unread = size;
    padding = (kBlock - size % kBlock) % kBlock;
    return true;
  }
}

TarReader::TarReader(const std::filesystem::path& archive, TarLimits limits) : impl_(std::make_unique<Impl>()) {
  impl_->archive = archive.string();
  impl_->limits = limits;
  impl_->file = gzopen(archive.c_str(), "rb");
  if (!impl_->file) throw DataError(archive.string() + ": cannot be opened: " + std::strerror(errno));
  gzbuffer(impl_->file, 1 << 18);
}

TarReader::~TarReader() = default;

std::optional<TarEntry> TarReader::next() {
  Impl& reader = *impl_;
  if (reader.ended) return std::nullopt;
  reader.skip(reader.unread + reader.padding);
  reader.unread = reader.padding = 0;
  if (reader.next_header()) return reader.entry;
  reader.drain();
  return std::nullopt;
}

std::string TarReader::read(int64_t max_bytes) {
  Impl& reader = *impl_;
  if (reader.unread > max_bytes)
    reader.fail_entry(reader.entry.path, "has " + std::to_string(reader.unread) + " bytes, more than the " +
                                             std::to_string(max_bytes) + " a review may have");
  std::string bytes(static_cast<size_t>(reader.unread), '\0');
  reader.read_all(bytes.data(), reader.unread);
  reader.unread = 0;
  return bytes;
}

}  // namespace lockstep::data
