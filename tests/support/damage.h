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

/// Changes the file in each way in which one bit can be changed, cuts it at each length and lets it grow by a byte:
/// each time the `complaint` must name the file. Returns how many ways there were; the file is whole again.
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
    for (int bit = 0; bit < 8; ++bit) {
      changed[i] = static_cast<char>(whole[i] ^ (1 << bit));
      try_bytes(changed);
    }
    try_bytes(whole.substr(0, i));
  }
  try_bytes(whole + "x");
  std::ofstream(file, std::ios::binary) << whole;
  EXPECT_EQ(complaint(), "");
  return ways;
}

}  // namespace lockstep::tests
