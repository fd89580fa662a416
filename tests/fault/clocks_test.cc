// What must change nothing at all: ranks that stand still for a while, and clocks that jump.
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "tests/fault/victim.h"
#include "tests/support/require.h"

namespace lockstep {
namespace {

using tests::Background;
using tests::FaultRow;
using tests::SeenProcess;

/// Debian's; the one for programs with threads.
constexpr const char* kFakeTime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

class Clocks : public tests::Victim {
 protected:
  Clocks() : Victim(120) {}

  static void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }
  static double up_to(double most, FaultRow::Random& random) {
    return std::uniform_real_distribution<>(0, most)(random);
  }

  /// Stops some process of a job, or all, at some moment; for less time than a hang takes.
  void pause_some(FaultRow::Random& random) {
    begin_anew();
    const auto job = go_on();
    sleep(up_to(unbroken().seconds, random));
    std::vector<SeenProcess> victims = processes();
    if (!victims.empty() && random() % 3 != 0) victims = {victims[random() % victims.size()]};
    for (const SeenProcess& victim : victims)
      ::kill(victim.pid, SIGSTOP);
    sleep(up_to(2, random));
    for (const SeenProcess& victim : victims)
      ::kill(victim.pid, SIGCONT);
    expect_to_end_as_unbroken(*job);
  }

  static void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
  }

  /// mpirun by hand, so that one rank alone gets a library that fakes its clock, by what is in the file `clock`.
  static std::unique_ptr<Background> go_on_with_clock(int rank, const std::string& clock) {
    std::vector<std::string> words{
        "env", "OMP_NUM_THREADS=1", "mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"};
    for (int i = 0; i < 2; ++i) {
      if (i > 0) words.emplace_back(":");
      append(words, {"-np", "1"});
      if (i == rank)
        append(words, {"env", std::string("LD_PRELOAD=") + kFakeTime, "FAKETIME_TIMESTAMP_FILE=" + clock,
                       "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"});
      words.push_back(tests::environment("LOCKSTEP_BINARY"));
      append(words, training(run_folder()));
    }
    return std::make_unique<Background>(words, world_->path("output.txt"));
  }

  /// Once that rank is there.
  static bool fakes_its_clock(int rank) {
    const auto process = process_of(rank);
    return process &&
           tests::read_file("/proc/" + std::to_string(*process) + "/maps").find(kFakeTime) != std::string::npos;
  }

  /// Those of the log, which rank 0 writes.
  static std::set<std::string> dates() {
    std::set<std::string> found;
    std::ifstream log(run_folder() + "/train.log");
    for (std::string line; std::getline(log, line);)
      if (line.starts_with("20")) found.insert(line.substr(0, line.find(' ')));  // a report has lines without a date
    return found;
  }

  void jump(FaultRow::Random& random) {
    begin_anew();
    const std::string clock = world_->path("clock");
    std::ofstream(clock) << "+0";
    const int rank = static_cast<int>(random() % 2);
    const auto job = go_on_with_clock(rank, clock);
    EXPECT_TRUE(tests::becomes_true([&] { return job->has_ended() || fakes_its_clock(rank); }, tests::kPatience));
    EXPECT_FALSE(job->has_ended()) << "before a clock could jump";
    for (int jumps = 0; !job->has_ended(); ++jumps) {
      sleep(up_to(0.5, random));
      std::ofstream(clock) << (jumps % 2 == 0 ? "+1d" : "-1d");
    }
    EXPECT_EQ(job->exit_code(), kDone) << job->output();
    expect_as_unbroken();
    if (rank == 0) {
      EXPECT_GT(dates().size(), 1u) << "no jump was seen";
    }
  }
};

TEST_F(Clocks, APauseChangesNothing) {
  FaultRow row("pauses", 4);
  row.for_each_trial([&](FaultRow::Random& random) { pause_some(random); });
}

TEST_F(Clocks, AJumpOfADayChangesNothing) {
  LOCKSTEP_NEEDS("faketime", std::filesystem::exists(kFakeTime), "libfaketime is not installed");
  FaultRow row("clock_jumps", 2);
  row.for_each_trial([&](FaultRow::Random& random) { jump(random); });
}

}  // namespace
}  // namespace lockstep
