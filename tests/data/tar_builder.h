#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::tests {

/// Builds tar archives in memory, broken ones included.
class TarBuilder {
 public:
  /// A regular file, or an entry of another type ('2': symbolic link, '5': folder ...).
  TarBuilder& add(const std::string& path, const std::string& bytes, char type = '0');
  /// A file whose path is in a preceding GNU long-name entry.
  TarBuilder& add_gnu_long(const std::string& path, const std::string& bytes);
  /// A file whose path is in a preceding pax header.
  TarBuilder& add_pax(const std::string& path, const std::string& bytes);
  /// Only a header, which declares `size` bytes that do not follow.
  TarBuilder& add_header(const std::string& path, int64_t size, char type = '0');
  /// So far, without the end marker.
  const std::string& body() const { return bytes_; }
  std::string finished() const { return bytes_ + std::string(1024, '\0'); }

 private:
  void append_padded(const std::string& bytes);
  std::string bytes_;
};

void write_file(const std::string& path, const std::string& bytes);
/// Writes `bytes` compressed by gzip.
void write_gzip(const std::string& path, const std::string& bytes);

/// What the exception that `call` must throw says; empty if none of that type is thrown.
template <typename Exception, typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace lockstep::tests
