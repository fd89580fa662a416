// A file system across a network may have done a renaming whose answer was lost, and then say that it failed. In this
// program ::rename is a stand-in that does the same on request.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "tests/launcher/stored_checkpoints.h"

namespace {

enum class Answer { kTrue, kLost, kNotDone };
Answer next_answer = Answer::kTrue;

int without(int error) {
  next_answer = Answer::kTrue;
  errno = error;
  return -1;
}

}  // namespace

extern "C" int rename(const char* from, const char* to) noexcept {
  if (next_answer == Answer::kNotDone) return without(EIO);
  const int result = renameat(AT_FDCWD, from, AT_FDCWD, to);
  return next_answer == Answer::kLost && result == 0 ? without(ENOENT) : result;
}

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using tests::Checkpoints;
using tests::listed;
using tests::problem_of_all;
using tests::write_checkpoint;

/// A finished folder of step 7 that has no name yet.
fs::path finished(const fs::path& run_folder) {
  fs::path hidden = run_folder / ".checkpoint-7.writing-1";
  fs::rename(write_checkpoint(run_folder, 7, 2), hidden);
  return hidden;
}

TEST_F(Checkpoints, ARenamingWhoseAnswerWasLostIsDone) {
  const fs::path hidden = finished(run_folder());
  next_answer = Answer::kLost;
  const PublishedCheckpoint published = publish_checkpoint(hidden, run_folder(), 7);
  EXPECT_EQ(next_answer, Answer::kTrue) << "the stand-in was not called";
  EXPECT_EQ(published.folder, run_folder() / "checkpoint-7");
  EXPECT_EQ(problem_of_all(published.folder), "");
}

TEST_F(Checkpoints, ARenamingThatFailedIsAnErrorAndTheFolderStays) {
  const fs::path hidden = finished(run_folder());
  next_answer = Answer::kNotDone;
  EXPECT_THROW(publish_checkpoint(hidden, run_folder(), 7), std::system_error);
  EXPECT_EQ(problem_of_all(hidden), "");
  EXPECT_TRUE(listed(run_folder()).empty());
}

}  // namespace
}  // namespace lockstep
