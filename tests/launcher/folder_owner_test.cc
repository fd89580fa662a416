// Whose a run folder is, when two jobs think that it is theirs.
#include "launcher/checkpoint/folder_owner.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "launcher/errors.h"
#include "launcher/loop/run_history.h"
#include "tests/support/process.h"

namespace lockstep {
namespace {

class TakenFolder : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
};

TEST_F(TakenFolder, IsOursUntilSomebodyElseTakesIt) {
  const FolderOwner first(folder_.path());
  first.require();
  const FolderOwner second(folder_.path());
  second.require();
  try {
    first.require();
    FAIL() << "two owners";
  } catch (const LockedError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("taken over by another job (process " + std::to_string(getpid())));
  }
}

TEST_F(TakenFolder, AChangeThatFailsInAnothersFolderIsToldSo) {
  const auto fails = [] { throw std::system_error(ENOENT, std::generic_category(), "gone"); };
  const FolderOwner owner(folder_.path());
  EXPECT_THROW(owner.change(fails), std::system_error);
  EXPECT_THROW(owner.change([&] {
    const FolderOwner other(folder_.path());
    fails();
  }),
               LockedError);
}

TEST_F(TakenFolder, AMetricIsNotAppendedToAnothersFile) {
  const FolderOwner first(folder_.path());
  RunHistory frozen(folder_.path(), &first);
  const FolderOwner second(folder_.path());
  RunHistory history(folder_.path(), &second);
  history.add(TrainRecord{.step = 1});
  const std::string before = tests::read_file(folder_ / "metrics.jsonl");
  EXPECT_THROW(frozen.add(TrainRecord{.step = 7}), LockedError);
  EXPECT_EQ(tests::read_file(folder_ / "metrics.jsonl"), before);
}

TEST_F(TakenFolder, AttemptsGrowAlsoWithoutCheckpoints) {
  EXPECT_EQ(FolderOwner(folder_.path()).attempt(), 1);
  EXPECT_EQ(FolderOwner(folder_.path()).attempt(), 2);
}

TEST_F(TakenFolder, ANameThatCannotBeReadProvesNothing) {
  const FolderOwner owner(folder_.path());
  std::ofstream(folder_ / "owner.json") << "{\"attempt\": 7, \"token";
  owner.require();
  std::filesystem::remove(folder_ / "owner.json");
  owner.require();
  EXPECT_EQ(FolderOwner(folder_.path()).attempt(), 1);
}

TEST_F(TakenFolder, ANameInAFileThatNobodyOfUsWroteProvesNothing) {
  const FolderOwner owner(folder_.path());
  const std::string other = R"("attempt": 7, "host": "h", "process": 1, "token": "another")";
  std::ofstream(folder_ / "owner.json") << "{" + other + "}";
  EXPECT_THROW(owner.require(), LockedError);
  std::ofstream(folder_ / "owner.json") << "{" + other + "}" + std::string(1 << 20, ' ');
  owner.require();
  std::ofstream(folder_ / "owner.json") << "{" + other + R"(, "token": "a second")" + "}";
  owner.require();
}

}  // namespace
}  // namespace lockstep
