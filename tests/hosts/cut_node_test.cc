// A host that is cut off, and on which rank 0 stands still in the middle of a commit: when it moves again the run has
// gone on elsewhere.
#include "tests/hosts/several_hosts.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using tests::becomes_true;
using tests::kPatience;
using tests::SeenProcess;
using tests::SeveralHosts;

class CutNode : public SeveralHosts {
 protected:
  /// A job on h1 and h2 whose rank 0, on h1, stops for the `hit`-th time that it is about to rename a checkpoint.
  std::unique_ptr<tests::Background> start_and_stop_before_rename(int hit, const std::string& more) {
    auto job = start("h1", "env LOCKSTEP_FAILPOINT=before-rename:0:" + std::to_string(hit) + ":freeze " +
                               launch("h1:1,h2:1") + train() + more);
    EXPECT_TRUE(becomes_true([] { return stopped() > 0; }, kPatience)) << job->output();
    return job;
  }
  static pid_t stopped() {
    for (const SeenProcess& process : processes())
      if (process.status("State").starts_with("T")) return process.pid;
    return 0;
  }
  /// Once the ranks on the other hosts have left.
  void go_on_elsewhere() {
    host("unplug h1");
    EXPECT_TRUE(becomes_true([] { return on("h2", "pgrep -f output_dir").output.empty(); }, kPatience));
    // A process that is stopped holds the lock on the run folder. Where h1 is another machine, its file server takes
    // that back after a while.
    fs::rename(run_ + "/train.log", run_ + "-train.log");
    expect_that_it_goes_on("h2:1,h3:1", 2);
  }
  void expect_that_it_changes_nothing(tests::Background& old) {
    const std::string before = checkpoints_and_model();
    kill(stopped(), SIGCONT);
    EXPECT_TRUE(nobody_is_left(kPatience)) << list_of(processes()) << old.output();
    EXPECT_EQ(checkpoints_and_model(), before) << old.output();
    EXPECT_EQ(tests::lockstep("verify " + run_).exit_code, kDone);
  }
  std::string checkpoints_and_model() const {
    return tests::run("cd " + run_ + " && find checkpoint-* model.safetensors -type f | sort | xargs sha256sum").output;
  }
};

TEST_F(CutNode, PublishesNoCheckpointAfterTheRunHasGoneOnElsewhere) {
  const auto old = start_and_stop_before_rename(2, "");
  EXPECT_TRUE(is_checkpoint(run_, 50));
  EXPECT_FALSE(is_checkpoint(run_, 100));
  go_on_elsewhere();
  expect_that_it_changes_nothing(*old);
}

TEST_F(CutNode, LeavesTheCheckpointThatItWasAboutToReplace) {
  ASSERT_EQ(on("h1", launch("h1:1,h2:1") + train()).exit_code, kDone);
  const auto old = start_and_stop_before_rename(1, " --resume_from_checkpoint " + run_ + "/checkpoint-350");
  go_on_elsewhere();
  expect_that_it_changes_nothing(*old);
}

}  // namespace
}  // namespace lockstep
