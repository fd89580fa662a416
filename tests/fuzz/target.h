#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

/// libFuzzer's own mutation, for targets that have one around it.
extern "C" size_t LLVMFuzzerMutate(uint8_t* bytes, size_t size, size_t most);  // NOLINT(readability-identifier-naming)

namespace lockstep::fuzz {

inline constexpr const char* kWhere = "file";  // how targets call their input

inline std::string_view text_of(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// Ends the process, as a finding, unless `fact` holds.
inline void require(bool fact, const char* what, std::string_view found = "") {
  if (fact) return;
  std::fprintf(stderr, "broken promise: %s: %.*s\n", what, static_cast<int>(found.size()), found.data());
  std::abort();
}

/// What every complaint about a file promises: it names the file, and nobody has to scroll for the rest.
inline void require_good_error(const std::exception& error) {
  const std::string_view words = error.what();
  require(words.starts_with(kWhere), "the error names the file", words);
  require(words.size() < 2000, "the error is short", words.substr(0, 2000));
}

}  // namespace lockstep::fuzz
