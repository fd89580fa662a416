// prepare where the machine has too little of something: it says so, and the old data set stays as it was.
#include <sys/resource.h>
#include <sys/stat.h>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/commands.h"
#include "tests/support/background.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using tests::Commands;
using tests::Outcome;

/// A data set in a folder of its own, and what is to replace it.
class Replacement {
 public:
  Replacement(const std::string& data_set, std::string model) : model_(std::move(model)) {
    fs::copy(data_set, folder_ / "data");
    before_ = content();
  }
  std::vector<std::string> command(const std::string& texts) const {
    return {tests::environment("LOCKSTEP_BINARY"),
            "prepare",
            "--train_file",
            texts,
            "--model",
            model_,
            "--output",
            folder_ / "data",
            "--overwrite",
            "--shards",
            "1"};
  }
  /// Neither is anything beside it.
  bool is_as_before() const { return content() == before_; }
  bool has_begun() const { return std::distance(fs::directory_iterator(folder_.path()), {}) > 1; }

 private:
  std::string content() const {
    return tests::run("cd " + folder_.path().string() + " && ls -A && sha256sum data/*").output;
  }

  tests::TemporaryFolder folder_;
  std::string model_, before_;
};

TEST_F(Commands, AShardThatMayNotGrowEndsPrepareAndTheOldDataSetStays) {
  const Replacement data(world_->dataset_folder(), world_->model_folder());
  const std::string texts = world_->path("long.csv");
  std::ofstream rows(texts);
  rows << "text,label\nb,0\n";
  for (int i = 0; i < 50'000; ++i)
    rows << "a ";
  rows << ",1\n";
  rows.close();
  std::string command = "ulimit -f 64;";  // of KB, or of half of them, where each id takes two bytes
  for (const std::string& word : data.command(texts))
    command += " " + tests::quoted(word);
  const Outcome outcome = tests::run(command + " --max_length 100000");
  expect_failure(outcome, kStorage, {"error: cannot write ", "/train-00000-of-00001.h5: File too large\n"});
  EXPECT_TRUE(data.is_as_before());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory knows no such limit
TEST_F(Commands, PrepareWithoutMemorySaysSoAndTheOldDataSetStays) {
  const Replacement data(world_->dataset_folder(), world_->model_folder());
  const std::string texts = world_->path("endless.csv");
  ASSERT_EQ(mkfifo(texts.c_str(), 0600), 0);
  tests::Background prepare(data.command(texts), world_->path("output.txt"));
  ASSERT_TRUE(tests::becomes_true([&] { return data.has_begun(); }, tests::kPatience)) << prepare.output();
  // All libraries are loaded; it waits for the first text.
  const rlim_t now = 1024 * std::stoul(tests::SeenProcess(prepare.pid(), "").status("VmSize"));
  const rlimit little{now + (32 << 20), now + (32 << 20)};
  ASSERT_EQ(prlimit(prepare.pid(), RLIMIT_AS, &little, nullptr), 0);
  tests::run("{ echo text,label; yes | tr -d '\\n' | head -c 500000000; } > " + texts);
  EXPECT_EQ(prepare.exit_code(), kFailure);
  EXPECT_EQ(prepare.output(), "error: out of memory\n");
  EXPECT_TRUE(data.is_as_before());
}
#endif

}  // namespace
}  // namespace lockstep
