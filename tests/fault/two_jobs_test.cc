// Two jobs on one run folder: started at once, or one frozen until another has taken over.
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/sha256.h"
#include "tests/fault/victim.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using tests::Background;
using tests::becomes_true;
using tests::FaultRow;
using tests::SeenProcess;

void sleep(FaultRow::Random& random, double most_seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(std::uniform_real_distribution<>(0, most_seconds)(random)));
}

class TwoJobs : public tests::Victim {
 protected:
  TwoJobs() : Victim(120) {}

  void race(FaultRow::Random& random, FaultRow& row) {
    if (newest_step() > steps() / 2) begin_anew();
    // Whoever wins waits in its 20th step for a file that never comes, so that it is not done before the other has
    // looked.
    const std::vector<std::string> waits{"LOCKSTEP_FAILPOINT=step:0:20:hold",
                                         "LOCKSTEP_FAILPOINT_GATE=" + world_->path("never")};
    const auto one = go_on(waits, "one.txt");
    sleep(random, 0.1);
    const auto other = go_on(waits, "other.txt");
    becomes_true([&] { return one->has_ended() || other->has_ended(); }, tests::kPatience);
    Background& loser = one->has_ended() ? *one : *other;
    Background& winner = one->has_ended() ? *other : *one;
    EXPECT_EQ(loser.exit_code(), kLocked) << loser.output();
    EXPECT_NE(loser.output().find("another run is writing into it at this moment"), std::string::npos);
    sleep(random, 0.3);
    EXPECT_FALSE(winner.has_ended()) << winner.output();
    look();
    winner.signal(SIGKILL);
    row.took(watch_its_end(winner, true));
    expect_nothing_lost();
  }

  static bool is_stopped(pid_t process) { return SeenProcess(process, "").status("State").starts_with("T"); }
  static void signal(const std::vector<SeenProcess>& processes, int number) {
    for (const SeenProcess& process : processes)
      ::kill(process.pid, number);
  }

  /// All of the job's processes, once its rank 0 has come to where it freezes and the others are frozen as well.
  static std::vector<SeenProcess> freeze(Background& job) {
    becomes_true(
        [&] {
          const auto main = process_of(0);
          return job.has_ended() || (main && is_stopped(*main));
        },
        tests::kPatience);
    std::vector<SeenProcess> all = processes();
    signal(all, SIGSTOP);
    return all;
  }

  /// Everything in the run folder but for the log, in which both may write.
  static std::map<std::string, std::string> contents() {
    std::map<std::string, std::string> hashes;
    for (const auto& entry : fs::recursive_directory_iterator(run_folder()))
      if (entry.is_regular_file() && entry.path().filename() != "train.log")
        hashes[entry.path()] = data::sha256_of_file(entry.path());
    return hashes;
  }

  static int64_t attempt() { return nlohmann::json::parse(tests::read_file(run_folder() + "/owner.json"))["attempt"]; }

  /// `frozen` goes on, finds that the folder is another's, and leaves.
  static void thaw(Background& job, const std::vector<SeenProcess>& frozen) {
    signal(frozen, SIGCONT);
    EXPECT_EQ(job.exit_code(), kLocked) << job.output();
    EXPECT_NE(job.output().find("was taken over by another job (process "), std::string::npos) << job.output();
  }

  void take_over(const std::string& point, bool after_its_end, FaultRow::Random& random) {
    SCOPED_TRACE(point + (after_its_end ? ", thawed after the other's end" : ", thawed while the other trains"));
    begin_anew();
    const auto first = go_on({"LOCKSTEP_FAILPOINT=" + point + ":freeze"}, "first.txt");
    const std::vector<SeenProcess> frozen = freeze(*first);
    look();
    const bool was_done = newest_step() == steps();
    fs::remove(run_folder() + "/train.log");  // and with it the lock, as on a host that does not see it
    const auto second = go_on({}, "second.txt");
    if (after_its_end) {
      EXPECT_EQ(second->exit_code(), kDone) << second->output();
      const auto before = contents();
      thaw(*first, frozen);
      EXPECT_EQ(contents() == before, true) << "the first job has changed something";
    } else {
      becomes_true([&] { return second->has_ended() || second->output().find("*****") != std::string::npos; },
                   tests::kPatience);
      sleep(random, 1);
      thaw(*first, frozen);
    }
    expect_to_end_as_unbroken(*second);
    EXPECT_EQ(attempt(), 2);
    EXPECT_EQ(stored().front().manifest->attempt, was_done ? 1 : 2);
  }
};

TEST_F(TwoJobs, OfTwoThatStartAtOnceOneWins) {
  FaultRow row("double_starts", 5);
  row.for_each_trial([&](FaultRow::Random& random) { race(random, row); });
  expect_that_it_ends_as_if_unbroken();
}

TEST_F(TwoJobs, AFrozenOneDoesNotComeBackOverTheOneThatTookOver) {
  FaultRow row("take_overs", 4);
  const std::vector<std::string> points = {
      "locked",       "begun",        "replicas-made",   "connected",        "step",           "forward",
      "step-done",    "epoch-end",    "evaluating",      "evaluated",        "publishing",     "published",
      "announcing",   "folder-made",  "snapshot",        "shard-begin",      "shard-middle",   "flush",
      "collected",    "commit-begin", "before-manifest", "manifest-written", "folder-flushed", "before-rename",
      "after-rename", "removing",     "removing-rest",   "concluded",        "trained"};
  row.for_each_trial([&](FaultRow::Random& random) {
    take_over(points[random() % points.size()] + ":0:1", random() % 2 == 0, random);
  });
}

}  // namespace
}  // namespace lockstep
