#include "data/sha256.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "data/error.h"

namespace lockstep::data {
namespace {

// FIPS 180-4's example values.
constexpr char kOfNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kOfMillionA[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, KnownMessagesHaveTheirKnownHashes) {
  EXPECT_EQ(sha256_of(""), kOfNothing);
  EXPECT_EQ(sha256_of("abc"), kOfAbc);
  EXPECT_EQ(sha256_of(std::string(1000000, 'a')), kOfMillionA);
}

TEST(Sha256, CuttingTheMessageDoesNotChangeTheHash) {
  Sha256 hash;
  for (std::string_view part : {"a", "", "bc"})
    hash.update(part);
  EXPECT_EQ(hash.hex(), kOfAbc);
}

TEST(Sha256, FileHasTheHashOfItsBytes) {
  const std::string path = testing::TempDir() + "sha256." + std::to_string(::getpid());
  for (size_t size : {0u, 3u, 1000000u, 1u << 20, 3u << 20}) {  // the file is read 1 MiB at a time
    const std::string bytes(size, 'a');
    std::ofstream(path, std::ios::binary) << bytes;
    size_t signs = 0;
    EXPECT_EQ(sha256_of_file(path, [&] { ++signs; }), sha256_of(bytes));
    EXPECT_EQ(signs, (size + (1 << 20) - 1) >> 20);
  }
  std::filesystem::remove(path);
}

TEST(Sha256, UnreadableFileIsADataErrorThatNamesIt) {
  for (const std::string& path : {testing::TempDir() + "none", testing::TempDir()}) {
    try {
      sha256_of_file(path);
      ADD_FAILURE() << path;
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace lockstep::data
