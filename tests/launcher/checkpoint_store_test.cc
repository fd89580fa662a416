// Which checkpoints a run folder holds, which of them are kept, and who gets a name.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "launcher/errors.h"
#include "tests/launcher/stored_checkpoints.h"
#include "tests/support/require.h"
#include "tests/support/small_disk.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using tests::Checkpoints;
using tests::listed;
using tests::names;
using tests::problem_of_all;
using tests::write_checkpoint;

TEST_F(Checkpoints, ANewerAttemptsCheckpointKeepsItsName) {
  write_checkpoint(run_folder(), 7, 1, "run", 3);
  EXPECT_THROW(write_checkpoint(run_folder(), 7, 2, "run", 2), LockedError);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->attempt, 3);
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-7"), "");
  write_checkpoint(run_folder(), 7, 2, "run", 4);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->attempt, 4);
}

/// Whoever waits for a slow disk must see that it goes on.
TEST_F(Checkpoints, AreReadWithSignsOfProgress) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 2);
  const StoredCheckpoint stored = read_checkpoint(folder);
  int signs = 0;
  const auto count = [&] { ++signs; };
  EXPECT_EQ(problem_with(stored, true, count), std::nullopt);
  EXPECT_EQ(signs, 3) << "two shards and a file, each below 1 MiB";
  signs = 0;
  FlatState state;
  state.resize(tests::kElements);
  read_shard(folder, stored.manifest->shards[0], tests::kTensors, state, count);
  EXPECT_EQ(signs, std::ssize(stored.manifest->shards[0].slices));
}

class NeverAgain : public Checkpoints {};

// orbax#394: for lack of its marker, a checkpoint that was copied elsewhere was taken for an unfinished one and
// deleted.
TEST_F(NeverAgain, ACopyElsewhereIsTakenForUnfinished) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 2), elsewhere = folder_.path() / "another run";
  fs::create_directories(elsewhere / "checkpoint-7");
  for (const auto& entry : fs::directory_iterator(folder))
    std::ofstream(elsewhere / "checkpoint-7" / entry.path().filename(), std::ios::binary)
        << tests::read_file(entry.path());
  remove_unfinished(elsewhere);
  ASSERT_THAT(listed(elsewhere), ElementsAre("checkpoint-7"));
  EXPECT_EQ(problem_of_all(elsewhere / "checkpoint-7"), "");
}

TEST_F(Checkpoints, AreListedDamagedOnesFirstThenTheNewestTraining) {
  write_checkpoint(run_folder(), 90, 1, "old", 1);
  write_checkpoint(run_folder(), 9, 1, "new", 2);
  write_checkpoint(run_folder(), 10, 1, "new", 2);
  fs::create_directories(run_folder() / "checkpoint-50");
  fs::create_directories(run_folder() / "checkpoint-5x");
  fs::create_directories(run_folder() / ".checkpoint-99.writing-1");
  std::ofstream(run_folder() / "checkpoint-7") << "a file";
  EXPECT_THAT(listed(run_folder()), ElementsAre("checkpoint-50", "checkpoint-10", "checkpoint-9", "checkpoint-90"));
  EXPECT_THAT(listed(run_folder() / "none"), IsEmpty());
}

TEST_F(Checkpoints, ASecondOneOfAStepReplacesASoundOneAndKeepsADamagedOne) {
  write_checkpoint(run_folder(), 7, 2);
  write_checkpoint(run_folder(), 7, 3);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->world_size, 3);
  EXPECT_EQ(std::distance(fs::directory_iterator(run_folder()), {}), 1);
  fs::resize_file(run_folder() / "checkpoint-7" / kManifestName, 10);
  write_checkpoint(run_folder(), 7, 1);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->world_size, 1);
  EXPECT_EQ(fs::file_size(run_folder() / "checkpoint-7.damaged-1" / kManifestName), 10u);
  fs::resize_file(run_folder() / "checkpoint-7" / shard_name(0, 1), 10);
  write_checkpoint(run_folder(), 7, 2);
  EXPECT_EQ(fs::file_size(run_folder() / "checkpoint-7.damaged-2" / shard_name(0, 1)), 10u);
}

TEST_F(Checkpoints, ThatOfAnotherRunGivesUpItsNameAndStays) {
  write_checkpoint(run_folder(), 7, 2, "first");
  write_checkpoint(run_folder(), 7, 3, "second");
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-7.other-1"), "");
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7.other-1").manifest->run, "first");
}

TEST_F(Checkpoints, WhatSomebodyRenamedOrCopiedStays) {
  for (const int64_t step : {1, 2, 3})
    write_checkpoint(run_folder(), step, 1);
  fs::rename(run_folder() / "checkpoint-1", run_folder() / "checkpoint-9");
  EXPECT_THAT(names(surplus(list_checkpoints(run_folder()), "run", 1, -1)), ElementsAre("checkpoint-2"));
  write_checkpoint(run_folder(), 9, 1);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-9.other-1").manifest->step, 1);
}

TEST_F(Checkpoints, ThatWhichALinkLeadsToStays) {
  for (const int64_t step : {1, 2, 3})
    write_checkpoint(run_folder(), step, 1);
  fs::rename(run_folder() / "checkpoint-1", folder_.path() / "archive");
  fs::create_directory_symlink(folder_.path() / "archive", run_folder() / "checkpoint-1");
  EXPECT_THAT(names(surplus(list_checkpoints(run_folder()), "run", 1, -1)), ElementsAre("checkpoint-2"));
  write_checkpoint(run_folder(), 1, 2);
  EXPECT_EQ(problem_of_all(folder_.path() / "archive"), "");
}

TEST_F(Checkpoints, LinksThatLeadNowhereAndPipesAreNoCheckpoints) {
  write_checkpoint(run_folder(), 1, 1);
  fs::create_directory_symlink("checkpoint-4", run_folder() / "checkpoint-4");
  EXPECT_THAT(listed(run_folder()), ElementsAre("checkpoint-1"));
  fs::create_directories(run_folder() / "checkpoint-5");
  ASSERT_EQ(mkfifo((run_folder() / "checkpoint-5" / kManifestName).c_str(), 0600), 0);
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-5"), "manifest.json: is not a file");
}

TEST_F(Checkpoints, OneThatWasMovedAsideGetsItsNameBackThoughSomethingElseCannotBeRemoved) {
  write_checkpoint(run_folder(), 7, 1);
  fs::rename(run_folder() / "checkpoint-7", run_folder() / ".checkpoint-7.replaced-00000001");
  const tests::SmallDisk mounted(run_folder() / ".checkpoint-3.writing-00000001");
  LOCKSTEP_NEEDS("mount", mounted.is_mounted(), "this user may not mount a tmpfs");
  EXPECT_EQ(remove_unfinished(run_folder()).size(), 1u);
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-7"), "");
}

TEST_F(Checkpoints, WhatWasLeftUnfinishedIsRemovedAndNothingElse) {
  make_unfinished(run_folder().parent_path(), 3);
  fs::create_directories(folder_.path() / ".model-part-1");
  fs::create_directories(folder_.path() / ".checkpoint-notes");
  fs::create_directories(folder_.path() / "checkpoint-4");
  remove_unfinished(folder_.path());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 2);
}

TEST_F(Checkpoints, APinnedOneIsNeverRemoved) {
  for (const int64_t step : {1, 2, 3})
    write_checkpoint(run_folder(), step, 1);
  std::ofstream(run_folder() / "checkpoint-1" / "pinned") << "";
  EXPECT_THAT(names(surplus(list_checkpoints(run_folder()), "run", 1, -1)), ElementsAre("checkpoint-2"));
  EXPECT_THAT(tests::lockstep("list " + run_folder().string()).output,
              testing::ContainsRegex("checkpoint-1 .*: complete, pinned\n$"));
  write_checkpoint(run_folder(), 1, 2, "another");
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-1").manifest->run, "another");
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-1.pinned-1"), "");
}

TEST_F(Checkpoints, SurplusLeavesTheNewestTheBestAndWhatOthersWrote) {
  for (const int64_t step : {1, 2, 3, 4, 5})
    write_checkpoint(run_folder(), step, 1);
  write_checkpoint(run_folder(), 9, 1, "another");
  const auto removed = [&](int64_t limit, int64_t best) {
    return names(surplus(list_checkpoints(run_folder()), "run", limit, best));
  };
  EXPECT_THAT(removed(0, -1), IsEmpty());
  EXPECT_THAT(removed(5, -1), IsEmpty());
  EXPECT_THAT(removed(2, -1), ElementsAre("checkpoint-3", "checkpoint-2", "checkpoint-1"));
  EXPECT_THAT(removed(2, 2), ElementsAre("checkpoint-3", "checkpoint-1"));
  EXPECT_THAT(removed(1, 5), ElementsAre("checkpoint-4", "checkpoint-3", "checkpoint-2", "checkpoint-1"));
  fs::resize_file(run_folder() / "checkpoint-5" / "trainer_state.json", 1);
  fs::resize_file(run_folder() / "checkpoint-2" / kManifestName, 1);
  EXPECT_THAT(removed(1, -1), ElementsAre("checkpoint-3", "checkpoint-1")) << "damaged ones neither count nor go";
  remove_checkpoint(run_folder() / "checkpoint-3");
  EXPECT_THAT(listed(run_folder()),
              ElementsAre("checkpoint-2", "checkpoint-9", "checkpoint-5", "checkpoint-4", "checkpoint-1"));
}

}  // namespace
}  // namespace lockstep
