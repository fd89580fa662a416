// One process of a job is killed, or asked to stop, at a random moment, from its start to its end; the run goes on from
// one to the next.
#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/fault/victim.h"
#include "tests/support/held_thread.h"

namespace lockstep {
namespace {

using tests::Background;
using tests::becomes_true;
using tests::FaultRow;
using tests::HeldThread;
using tests::SeenProcess;
using Candidates = std::function<std::vector<SeenProcess>()>;

class Moments : public tests::Victim {
 protected:
  static constexpr double kStartSeconds = 0.5;

  Moments() : Victim(120) {}

  /// Whether the job ended by the signal; `is_hit`: it got one.
  using Ending = std::function<bool(Background&, bool is_hit)>;

  /// Signals one of the `candidates`. False if none was there at that moment, as before they start and after they end.
  bool hit_one(const Candidates& candidates, int signal, const Ending& ends, FaultRow::Random& random) {
    const auto job = go_on();
    // A job that goes on is done the sooner.
    const double rest = 1 - static_cast<double>(newest_step()) / static_cast<double>(steps());
    const double moment = std::uniform_real_distribution<>(0, kStartSeconds + rest * unbroken().seconds)(random);
    std::this_thread::sleep_for(std::chrono::duration<double>(moment));
    look();
    const std::vector<SeenProcess> found = candidates();
    if (!found.empty()) ::kill(found[random() % found.size()].pid, signal);
    if (ends(*job, !found.empty())) return true;
    expect_to_end_as_unbroken(*job);
    begin_anew();
    return false;
  }

  void hit_often(FaultRow& row, const Candidates& candidates, int signal, const Ending& ends) {
    row.for_each_trial([&](FaultRow::Random& random) {
      while (!hit_one(candidates, signal, ends, random) && !HasFailure()) {
      }
    });
    expect_that_it_ends_as_if_unbroken();
  }

  void kill_often(FaultRow& row, const Candidates& candidates, const char* words) {
    hit_often(row, candidates, SIGKILL,
              [&](Background& job, bool is_hit) { return ends_by_a_kill(job, is_hit, words, row); });
  }

  static std::vector<SeenProcess> launches() {
    std::vector<SeenProcess> found;
    for (const SeenProcess& process : processes())
      if (!process.is_mpirun() && !process.is_rank()) found.push_back(process);
    return without_children(found);
  }

  /// launch and mpirun, each as soon as it does not end by a request itself: launch keeps an early one, and mpirun
  /// hands it on to the ranks that there are.
  static std::vector<SeenProcess> who_can_be_asked() {
    std::vector<SeenProcess> found = launches();
    std::erase_if(found, [](const SeenProcess& launch) { return !launch.blocks(SIGUSR1); });
    const std::vector<SeenProcess> trained = ranks();
    const bool all_listen = trained.size() == 2 && std::ranges::all_of(trained, [](const SeenProcess& rank) {
                              return rank.blocks(SIGUSR1) || rank.handles(SIGUSR1);
                            });
    for (const SeenProcess& mpirun : mpiruns())
      if (all_listen && mpirun.handles(SIGUSR1)) found.push_back(mpirun);
    return found;
  }

  /// As a batch system ends a job whose time is over, before the commit under way is done: SIGTERM to mpirun, and some
  /// 3 s later SIGKILL for mpirun alone, or for whoever is left.
  void end_in_a_commit(FaultRow::Random& random, FaultRow& row) {
    begin_anew();
    const std::string save = std::to_string(1 + random() % 4);
    const auto job = go_on({"LOCKSTEP_FAILPOINT=before-manifest:0:" + save + ":hold",
                            "LOCKSTEP_FAILPOINT_GATE=" + world_->path("never"),
                            "OMPI_MCA_odls_base_sigkill_timeout=3"});  // until mpirun hands SIGTERM on, and then kills
    const auto is_held = [] {
      const auto main_rank = process_of(0);
      return main_rank && HeldThread::of(*main_rank);
    };
    becomes_true([&] { return is_held() || job->has_ended(); }, tests::kPatience);
    ASSERT_TRUE(is_held()) << job->output();
    const int64_t before = newest_step();
    for (const SeenProcess& mpirun : mpiruns())
      ::kill(mpirun.pid, SIGTERM);
    EXPECT_TRUE(becomes_true([] { return !process_of(1); }, tests::kPatience)) << "which commits nothing";
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_TRUE(is_held()) << "a commit is not broken off by one SIGTERM";
    const bool is_only_mpirun = random() % 2 == 0;
    for (const SeenProcess& process : is_only_mpirun ? mpiruns() : processes())
      ::kill(process.pid, SIGKILL);
    EXPECT_TRUE(ends_by_a_kill(*job, true, is_only_mpirun ? "error: mpirun was ended by signal 9" : "", row));
    EXPECT_EQ(newest_step(), before);
    expect_that_it_ends_as_if_unbroken();
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

TEST_F(Moments, OfARequestToStop) {
  FaultRow row("usr1_moments", 6);
  hit_often(row, who_can_be_asked, SIGUSR1,
            [&](Background& job, bool is_hit) { return ends_by_a_request(job, is_hit, row); });
}

TEST_F(Moments, OfABatchJobWhoseTimeIsOver) {
  FaultRow row("batch_ends", 2);
  row.for_each_trial([&](FaultRow::Random& random) { end_in_a_commit(random, row); });
}

}  // namespace
}  // namespace lockstep
