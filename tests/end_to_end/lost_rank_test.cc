// A training run in which a rank is stopped: it is named, and the run ends. As often as LOCKSTEP_REPETITIONS says.
#include <gmock/gmock.h>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/launched_world.h"

namespace lockstep {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using tests::Outcome;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

const std::vector<std::string> kTimeout{"--hang_timeout", "3"};
/// The time-out, and some for mpirun's way to end the others.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kAllowedSeconds = 3 * (3 + 5);
#else
constexpr double kAllowedSeconds = 3 + 5;
#endif

class LostRank : public tests::LaunchedWorld {
 protected:
  /// Stops one of three ranks in mid-training; returns the output once all have ended with kHang.
  static std::string stop_a_rank(tests::Background& job, size_t rank) {
    EXPECT_TRUE(comes_to_train()) << job.output();
    std::this_thread::sleep_for(1s);  // until the others have heard of its first steps
    const auto all = ranks();
    EXPECT_EQ(all.size(), 3U) << job.output();
    if (all.size() == 3) kill(all[rank].pid, SIGSTOP);
    const auto begin = Clock::now();
    EXPECT_TRUE(all_are_gone(kAllowedSeconds)) << job.output();
    std::printf("rank %zu stopped; all gone after %.2f s\n", rank,
                std::chrono::duration<double>(Clock::now() - begin).count());
    EXPECT_EQ(job.exit_code(), kHang) << job.output();
    return job.output();
  }
};

TEST_F(LostRank, AStoppedRankIsNamedInLaunchsLastLine) {
  for (int repetition = 0; repetition < tests::repetitions(); ++repetition) {
    SetUp();
    const std::string output = stop_a_rank(*launch(3, kTimeout), 1);
    EXPECT_THAT(output.substr(output.rfind("error: ")),
                ContainsRegex("^error: rank 1 \\(host [^)]+\\) has sent no sign of life for [0-9]+ s .*phase "
                              "\"[a-z ]+\", step [0-9]+.*waiting for it: ranks 0, 2 in .*Ending the job\\.\n$"));
    EXPECT_THAT(output, Not(HasSubstr("MPI_ABORT")));
    EXPECT_THAT(tests::read_file(run_folder() + "/train.log"), HasSubstr("rank 1 (host"));
  }
}

TEST_F(LostRank, AStoppedRankZeroIsNamedByRankOneAlone) {
  const std::string output = stop_a_rank(*launch(3, kTimeout), 0);
  EXPECT_THAT(output, HasSubstr("[rank 1] error: rank 0 (host "));
  EXPECT_THAT(output, EndsWith("Ending the job.\n"));
  EXPECT_THAT(output, Not(HasSubstr("[rank 2] error")));
}

TEST_F(LostRank, UnderMpirunByHandItIsTheSame) {
  std::vector<std::string> mpirun{"mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "3"};
  mpirun.push_back(tests::environment("LOCKSTEP_BINARY"));
  EXPECT_THAT(stop_a_rank(*start(mpirun, kTimeout), 1), HasSubstr("error: rank 1 (host "));
}

TEST_F(LostRank, AWatchedRunEndsInOrder) {
  for (const char* timeout : {"auto", "20", "off"}) {
    const auto job =
        launch(2, {"--max_steps", "5", "--eval_strategy", "steps", "--eval_steps", "2", "--hang_timeout", timeout});
    EXPECT_EQ(job->exit_code(), kDone) << timeout << "\n" << job->output();
  }
}

}  // namespace
}  // namespace lockstep
