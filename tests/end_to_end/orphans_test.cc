// Whoever of a job is killed, launch, mpirun or a rank, at whatever moment: nobody is left. As often as
// LOCKSTEP_REPETITIONS says:
//     LOCKSTEP_REPETITIONS=50 ctest --test-dir build/check -R orphans_test -V
#include <random>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/launched_world.h"

namespace lockstep {
namespace {

using tests::becomes_true;
using tests::repetitions;
using tests::SeenProcess;
using Clock = std::chrono::steady_clock;

constexpr double kAllowedSeconds = 5;

class Orphans : public tests::LaunchedWorld {
 protected:
  /// Kills one process of a job of two ranks, in training or at some moment of its start, and expects that all end.
  void kill_one(const std::function<std::vector<SeenProcess>()>& candidates, size_t index, int repetition) {
    SetUp();
    const auto job = launch(2);
    ASSERT_TRUE(becomes_true([&] { return candidates().size() > index; }, tests::kPatience)) << job->output();
    if (repetition % 2 == 0) {
      ASSERT_TRUE(comes_to_train()) << job->output();
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(moment_(random_)));
    }
    const std::vector<SeenProcess> now = candidates();
    ASSERT_GT(now.size(), index) << job->output();
    kill(now[index].pid, SIGKILL);
    const auto start = Clock::now();
    EXPECT_TRUE(all_are_gone(kAllowedSeconds)) << "repetition " << repetition << "\n" << job->output();
    longest_ = std::max(longest_, std::chrono::duration<double>(Clock::now() - start).count());
    EXPECT_EQ(job->exit_code(), 128 + SIGKILL) << "repetition " << repetition << "\n" << job->output();
  }

  void kill_often(const std::function<std::vector<SeenProcess>()>& candidates, size_t index) {
    for (int repetition = 0; repetition < repetitions() && !HasFatalFailure(); ++repetition)
      kill_one(candidates, index, repetition);
    std::printf("killed %d times; all gone after at most %.2f s\n", repetitions(), longest_);
  }

  static std::vector<SeenProcess> launches() {
    std::vector<SeenProcess> found;
    for (const SeenProcess& process : processes())
      if (!process.is_mpirun() && !process.is_rank()) found.push_back(process);
    return found;
  }

  std::mt19937 random_{20};
  std::uniform_int_distribution<int> moment_{0, 800};  // milliseconds: exec, loading, MPI_Init, files
  double longest_ = 0;
};

TEST_F(Orphans, NoneAfterLaunchWasKilled) {
  kill_often([] { return mpiruns().empty() ? std::vector<SeenProcess>() : launches(); }, 0);
}

TEST_F(Orphans, NoneAfterMpirunWasKilled) {
  kill_often(mpiruns, 0);
}

TEST_F(Orphans, NoneAfterTheFirstRankWasKilled) {
  kill_often(ranks, 0);
}

TEST_F(Orphans, NoneAfterTheLastRankWasKilled) {
  kill_often(ranks, 1);
}

}  // namespace
}  // namespace lockstep
