// A folder is published whole, and nothing that others put in its place is lost.

#include "data/output_folder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "data/atomic_file.h"
#include "data/error.h"
#include "tar_builder.h"
#include "tests/support/process.h"
#include "tests/support/require.h"
#include "tests/support/small_disk.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

namespace fs = std::filesystem;
using data::ContractError;
using data::OutputFolder;
using data::StagingFolder;

void write_data_set(const fs::path& folder, const std::string& content) {
  data::write_file_atomically(folder / "dataset.json", content);
}

TEST(OutputFolder, OfTwoThatPublishAtOnceOneSucceedsAndItsFolderStays) {
  const TemporaryFolder folder;
  for (int round = 0; round < 100; ++round) {
    const fs::path output = folder / ("data" + std::to_string(round));
    std::barrier both(2);
    std::atomic<int> refused = 0;
    std::string winner;
    const auto publish = [&](const std::string& name) {
      StagingFolder staging({output, "--output"});
      write_data_set(staging.path(), name);
      both.arrive_and_wait();
      try {
        staging.publish();
        winner = name;
      } catch (const ContractError& error) {
        EXPECT_TRUE(contains(error.what(), "already holds a data set")) << error.what();
        ++refused;
      }
    };
    { const std::jthread one(publish, "one"), other(publish, "other"); }
    EXPECT_EQ(refused, 1);
    EXPECT_EQ(data::read_file(output / "dataset.json"), winner);
  }
}

TEST(OutputFolder, WhereAFileSystemIsMountedIsRefusedAndAFolderInItIsNamed) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder / "disk");
  LOCKSTEP_NEEDS("mount", disk.is_mounted(), "this user may not mount a tmpfs");
  const auto error = message_of<ContractError>([&] { data::check_output({folder / "disk", "--output"}); });
  EXPECT_TRUE(contains(error, "a file system is mounted there")) << error;
  EXPECT_TRUE(contains(error, "such as " + (folder / "disk/data"))) << error;
}

TEST(OutputFolder, AFileThatAppearsBeforePublishingIsKept) {
  const TemporaryFolder folder;
  const OutputFolder output{folder / "data", "--output", true};
  StagingFolder staging(output);
  write_data_set(staging.path(), "new");
  fs::create_directory(output.path);
  data::write_file_atomically(output.path / "thesis.txt", "precious");
  EXPECT_THROW(staging.publish(), ContractError);
  EXPECT_EQ(data::read_file(output.path / "thesis.txt"), "precious");
}

}  // namespace
}  // namespace lockstep::tests
