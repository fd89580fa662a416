#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "tests/support/process.h"
#include "tests/support/text.h"

namespace lockstep::tests {

/// Each so many-th way is tried: all of them, but with sanitizers, which look at memory and are slow.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kDamageStride = 8;
#else
constexpr size_t kDamageStride = 1;
#endif

/// Changes the file in each way in which one bit can be changed, cuts it at each length and lets it grow by a byte:
/// each time the `complaint` must name the file. Returns how many ways were tried; the file is whole again.
inline int64_t expect_that_each_damage_is_named(const std::filesystem::path& file,
                                                const std::function<std::string()>& complaint) {
  const std::string whole = read_file(file), name = file.filename();
  int64_t ways = 0;
  const auto try_bytes = [&](const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    ++ways;
    const std::string found = complaint();
    EXPECT_TRUE(contains(found, name)) << name << ", way " << ways << ": " << found;
  };
  for (size_t i = 0; i < whole.size() && !testing::Test::HasFailure(); ++i) {
    std::string changed = whole;
    for (size_t bit = i % kDamageStride; bit < 8; bit += kDamageStride) {
      changed[i] = static_cast<char>(whole[i] ^ (1 << bit));
      try_bytes(changed);
    }
    if (i % kDamageStride == 0) try_bytes(whole.substr(0, i));
  }
  try_bytes(whole + "x");
  std::ofstream(file, std::ios::binary) << whole;
  EXPECT_EQ(complaint(), "");
  return ways;
}

}  // namespace lockstep::tests
