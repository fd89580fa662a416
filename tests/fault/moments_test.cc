// One process of a job is killed at a random moment, from its start to its end; the run goes on from kill to kill.
#include <chrono>
#include <thread>

#include "tests/fault/victim.h"

namespace lockstep {
namespace {

using tests::FaultRow;
using tests::SeenProcess;
using Candidates = std::function<std::vector<SeenProcess>()>;

class Moments : public tests::Victim {
 protected:
  static constexpr double kStartSeconds = 0.5;

  Moments() : Victim(120) {}

  /// Kills one of the `candidates`. False if none was there at that moment, as before they start and after they end.
  bool kill_one(const Candidates& candidates, const char* words, FaultRow::Random& random, FaultRow& row) {
    const auto job = go_on();
    // A job that goes on is done the sooner.
    const double rest = 1 - static_cast<double>(newest_step()) / static_cast<double>(steps());
    const double moment = std::uniform_real_distribution<>(0, kStartSeconds + rest * unbroken().seconds)(random);
    std::this_thread::sleep_for(std::chrono::duration<double>(moment));
    look();
    const std::vector<SeenProcess> found = candidates();
    if (!found.empty()) ::kill(found[random() % found.size()].pid, SIGKILL);
    if (ends_by_a_kill(*job, !found.empty(), words, row)) return true;
    EXPECT_EQ(job->exit_code(), kDone) << job->output();
    expect_as_unbroken();
    begin_anew();
    return false;
  }

  void kill_often(FaultRow& row, const Candidates& candidates, const char* words) {
    row.for_each_trial([&](FaultRow::Random& random) {
      while (!kill_one(candidates, words, random, row) && !HasFailure()) {
      }
    });
    expect_that_it_ends_as_if_unbroken();
  }

  static std::vector<SeenProcess> launches() {
    std::vector<SeenProcess> found;
    for (const SeenProcess& process : processes())
      if (!process.is_mpirun() && !process.is_rank()) found.push_back(process);
    return without_children(found);
  }
};

TEST_F(Moments, OfARank) {
  FaultRow row("rank_moments", 10);
  kill_often(row, ranks, "was ended by signal 9");
}

TEST_F(Moments, OfMpirun) {
  FaultRow row("mpirun_moments", 5);
  kill_often(row, mpiruns, "error: mpirun was ended by signal 9");
}

TEST_F(Moments, OfLaunch) {
  FaultRow row("launch_moments", 5);
  kill_often(row, launches, "");
}

}  // namespace
}  // namespace lockstep
