#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lockstep::data {

/// Incremental SHA-256 (OpenSSL's, which uses the CPU's instructions for it).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  /// Lower-case hex of all bytes so far; the object must not be used afterwards.
  std::string hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_of(std::string_view bytes);
/// `on_progress`, if given, is called after every MiB. Throws DataError if the file cannot be read.
std::string sha256_of_file(const std::filesystem::path& path, const std::function<void()>& on_progress = {});

}  // namespace lockstep::data
