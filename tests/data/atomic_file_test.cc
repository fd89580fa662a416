#include "data/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <system_error>
#include <thread>
#include <vector>

#include "data/error.h"
#include "tests/support/require.h"

namespace lockstep::data {
namespace {

namespace fs = std::filesystem;

/// Writes beyond `bytes` fail while this lives, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limited{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

class AtomicFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("atomic_file." + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static fs::path make_folder(const fs::path& path, const std::string& content) {
    fs::create_directories(path / "inner");
    std::ofstream(path / "inner" / "file") << content;
    return path;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_))
      all.push_back(entry.path().filename());
    return all;
  }

  fs::path folder_;
};

TEST_F(AtomicFile, NewContentReplacesOldAndNothingElseIsLeft) {
  for (const std::string& bytes :
       {std::string("first"), std::string("s\0cond", 6), std::string(3 << 20, 'x'), std::string()}) {
    write_file_atomically(folder_ / "f", bytes);
    EXPECT_EQ(read_file(folder_ / "f"), bytes);
    EXPECT_EQ(names(), std::vector<std::string>{"f"});
  }
}

TEST_F(AtomicFile, FileHasThePermissionsOfAnyNewFile) {
  const mode_t mask = ::umask(022);
  write_file_atomically(folder_ / "f", "x");
  ::umask(mask);
  EXPECT_EQ(fs::status(folder_ / "f").permissions(), fs::perms{0644});
}

TEST_F(AtomicFile, WhenTheDiskIsFullTheErrorNamesTheFileAndTheOldContentStays) {
  write_file_atomically(folder_ / "f", "old");
  try {
    const FileSizeLimit limit(1000);
    write_file_atomically(folder_ / "f", std::string(5000, 'x'));
    ADD_FAILURE() << "written in spite of the limit";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EFBIG);
    EXPECT_NE(std::string(error.what()).find((folder_ / "f").string()), std::string::npos) << error.what();
  }
  EXPECT_EQ(read_file(folder_ / "f"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"f"});
}

TEST_F(AtomicFile, MissingFolderIsNamed) {
  try {
    write_file_atomically(folder_ / "none" / "f", "x");
    ADD_FAILURE();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOENT);
    EXPECT_NE(std::string(error.what()).find("none/f"), std::string::npos) << error.what();
  }
}

TEST_F(AtomicFile, ReadersSeeOldOrNewWhileThreadsWrite) {
  write_file_atomically(folder_ / "f", std::string(100000, 'a'));
  std::atomic<bool> done = false;
  std::jthread reader([&] {
    while (!done) {
      const std::string bytes = read_file(folder_ / "f");
      ASSERT_EQ(bytes, std::string(100000, bytes.at(0)));
    }
  });
  {
    std::vector<std::jthread> writers;
    for (char letter : {'b', 'c'})
      writers.emplace_back([&, letter] {
        for (int i = 0; i < 20; ++i)
          write_file_atomically(folder_ / "f", std::string(100000, letter));
      });
  }
  done = true;
  reader.join();
  EXPECT_EQ(names(), std::vector<std::string>{"f"});
}

TEST_F(AtomicFile, UnreadableFileIsADataError) {
  EXPECT_THROW(read_file(folder_ / "none"), DataError);
  EXPECT_THROW(read_file(folder_), DataError);
}

void accept(const fs::path& /*old*/) {}

TEST_F(AtomicFile, FolderIsPublishedWhereThereWasNoneOrAnEmptyOne) {
  for (const char* target : {"none", "empty"}) {
    fs::create_directories(folder_ / "empty");
    EXPECT_TRUE(publish_new_folder(make_folder(folder_ / "staging", "new"), folder_ / target));
    EXPECT_EQ(read_file(folder_ / target / "inner/file"), "new");
    EXPECT_FALSE(fs::exists(folder_ / "staging"));
  }
}

TEST_F(AtomicFile, NewFolderReplacesNeitherAFolderNorAFile) {
  make_folder(folder_ / "staging", "new");
  make_folder(folder_ / "folder", "old");
  std::ofstream(folder_ / "file") << "old";
  EXPECT_FALSE(publish_new_folder(folder_ / "staging", folder_ / "folder"));
  EXPECT_FALSE(publish_new_folder(folder_ / "staging", folder_ / "file"));
  EXPECT_EQ(read_file(folder_ / "folder/inner/file"), "old");
  EXPECT_EQ(read_file(folder_ / "file"), "old");
  EXPECT_EQ(read_file(folder_ / "staging/inner/file"), "new");
}

TEST_F(AtomicFile, FolderReplacesAnotherWhole) {
  std::ofstream(make_folder(folder_ / "target", "old") / "stale") << "x";
  replace_folder(make_folder(folder_ / "staging", "new"), folder_ / "target",
                 [](const fs::path& old) { EXPECT_TRUE(fs::exists(old / "stale")); });
  EXPECT_EQ(read_file(folder_ / "target/inner/file"), "new");
  EXPECT_FALSE(fs::exists(folder_ / "target/stale"));
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
}

TEST_F(AtomicFile, AnOldFolderThatMustNotGoIsPutBack) {
  make_folder(folder_ / "target", "old");
  make_folder(folder_ / "staging", "new");
  const auto refuse = [](const fs::path& old) { throw ContractError(read_file(old / "inner/file")); };
  EXPECT_THROW(replace_folder(folder_ / "staging", folder_ / "target", refuse), ContractError);
  EXPECT_EQ(read_file(folder_ / "target/inner/file"), "old");
  EXPECT_EQ(read_file(folder_ / "staging/inner/file"), "new");
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(AtomicFile, MissingStagingFolderLeavesTheTargetWhole) {
  make_folder(folder_ / "target", "old");
  EXPECT_THROW(replace_folder(folder_ / "none", folder_ / "target", accept), std::system_error);
  EXPECT_EQ(read_file(folder_ / "target/inner/file"), "old");
  EXPECT_THROW(publish_new_folder(folder_ / "none", folder_ / "other"), std::system_error);
}

TEST_F(AtomicFile, FailedRenamePutsTheOldFolderBack) {
  const fs::path other = fs::path("/dev/shm") / ("atomic_file." + std::to_string(::getpid()));
  struct stat here {
  }, there{};
  const bool two =
      ::stat(folder_.c_str(), &here) == 0 && ::stat("/dev/shm", &there) == 0 && here.st_dev != there.st_dev;
  LOCKSTEP_NEEDS("two_file_systems", two, "/dev/shm is on the temporary folder's file system");
  make_folder(folder_ / "target", "old");
  EXPECT_THROW(replace_folder(make_folder(other, "new"), folder_ / "target", accept), std::system_error);  // EXDEV
  fs::remove_all(other);
  EXPECT_EQ(read_file(folder_ / "target/inner/file"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
}

}  // namespace
}  // namespace lockstep::data
