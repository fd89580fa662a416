#pragma once

#include <string>

#include "tests/end_to_end/checkpoint_job.h"
#include "tests/power/promises.h"

namespace lockstep::tests {

/// Programs that run one after the other below one folder, with all that they do to the disk recorded.
class Recording {
 public:
  static constexpr const char* kRunFolder = "runs/run";

  /// `lacking`: "exchange", "links": what the file system is not to have.
  explicit Recording(std::string lacking = "") : lacking_(std::move(lacking)) {}

  std::string path(const std::string& name) const { return root_ / name; }
  /// Variables before a command, as a shell reads them.
  std::string variables() const {
    return "LD_PRELOAD=" + environment("LOCKSTEP_RECORDER") + " LOCKSTEP_RECORD=" + file() +
           " LOCKSTEP_RECORD_ROOT=" + root_.path().string() + " LOCKSTEP_RECORD_WITHOUT=" + lacking_ + " ";
  }
  /// The run folder's tool of the user, such as "touch".
  void user(const std::string& command, const std::string& name) const {
    EXPECT_EQ(run(variables() + command + " " + path(name)).exit_code, 0);
  }
  void mark(const std::string& word, const std::string& name) const { append_mark(file(), word, name); }
  Record record() const { return with_commits(read_record(file()), kRunFolder); }

 private:
  std::string file() const { return outside_ / "record"; }

  std::string lacking_;
  TemporaryFolder root_, outside_;
};

}  // namespace lockstep::tests
