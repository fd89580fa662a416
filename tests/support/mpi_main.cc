// GoogleTest's main() for programs under mpirun: every rank runs every test. Rank 0 prints as usual, the others only
// their failures; all ranks leave with the same exit code. A rank that throws, or is stuck while others went on, ends
// the job by a deadline.
#include "tests/support/mpi_main.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "dist/communicator.h"
#include "dist/mpi_environment.h"

namespace {

using lockstep::dist::ControlPlane;
using lockstep::dist::MpiEnvironment;
using Clock = std::chrono::steady_clock;

std::string current_test() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  return info ? std::string(info->test_suite_name()) + "." + info->name() : "no test";
}

/// Rank N's failures, each line led by its rank.
class RankPrinter : public testing::EmptyTestEventListener {
 public:
  explicit RankPrinter(int rank) : rank_(rank) {}

  // Kept, since GoogleTest holds its lock while it reports a part: current_test_info() would wait for it forever.
  void OnTestStart(const testing::TestInfo& info) override {
    test_ = std::string(info.test_suite_name()) + "." + info.name();
  }

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::printf("rank %d: %s failed at %s:%d\n%s\n", rank_, test_.c_str(),
                result.file_name() ? result.file_name() : "unknown file", result.line_number(), result.message());
    std::fflush(stdout);
  }

 private:
  int rank_;
  std::string test_ = "no test";
};

/// Ends the job if one test takes too long: some rank left it early, and this one waits for it in a collective.
class Watchdog : public testing::EmptyTestEventListener {
 public:
  Watchdog(int rank, std::chrono::seconds limit)
      : rank_(rank), limit_(limit), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

  void OnTestStart(const testing::TestInfo& info) override {
    const std::lock_guard lock(mutex_);
    name_ = std::string(info.test_suite_name()) + "." + info.name();
    deadline_ = Clock::now() + limit_;
  }
  void OnTestEnd(const testing::TestInfo&) override {
    const std::lock_guard lock(mutex_);
    deadline_ = Clock::time_point::max();
  }

 private:
  void watch(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      changed_.wait_for(lock, stop, std::chrono::milliseconds(100), [] { return false; });
      if (Clock::now() >= deadline_) end_the_job();
    }
  }

  [[noreturn]] void end_the_job() const {
    std::printf("rank %d: %s is stuck: still running after %lld s\n", rank_, name_.c_str(),
                static_cast<long long>(limit_.count()));
    std::fflush(stdout);
    MpiEnvironment::abort_job(EXIT_FAILURE);
  }

  const int rank_;
  const std::chrono::seconds limit_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string name_;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::jthread thread_;  // last: it reads the members above
};

std::chrono::seconds test_limit() {
  const char* seconds = std::getenv("LOCKSTEP_MPI_TEST_SECONDS");
  return std::chrono::seconds(seconds ? std::atoi(seconds) : 60);
}

void listen(int rank) {
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new RankPrinter(rank));
  }
  listeners.Append(new Watchdog(rank, test_limit()));
}

/// Collective. Every rank's exit code: failure if any rank failed, or ran nothing.
int verdict(ControlPlane& control, bool passed) {
  const auto* unit_test = testing::UnitTest::GetInstance();
  const bool ran = unit_test->test_to_run_count() > 0;
  const auto failed_ranks = control.sum(std::vector<int64_t>{!passed || !ran})[0];
  if (control.rank() == 0 && !ran) std::printf("no test matched the filter\n");
  if (control.rank() == 0 && failed_ranks > 0)
    std::printf("failed on %lld of %d ranks\n", static_cast<long long>(failed_ranks), control.world_size());
  if (control.rank() == 0 && failed_ranks == 0 && unit_test->skipped_test_count() > 0)
    std::printf("%d ranks skipped %d test(s)\n", control.world_size(), unit_test->skipped_test_count());
  return failed_ranks > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

MpiEnvironment* mains_environment = nullptr;  // main()'s

}  // namespace

MpiEnvironment& lockstep::tests::mpi() {
  return *mains_environment;
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // A caught exception would let this rank go on to the next test's collectives while the others wait in this one's.
  testing::GTEST_FLAG(catch_exceptions) = false;
  int rank = -1;
  try {
    MpiEnvironment mpi;
    mains_environment = &mpi;
    rank = mpi.rank();
    listen(rank);
    const auto control = lockstep::dist::make_control_plane();
    const int exit_code = verdict(*control, RUN_ALL_TESTS() == 0);
    std::fflush(stdout);
    mpi.finalize();
    return exit_code;
  } catch (const std::exception& error) {
    std::printf("rank %d: %s threw: %s\n", rank, current_test().c_str(), error.what());
    std::fflush(stdout);
    MpiEnvironment::abort_job(EXIT_FAILURE);
  }
}
