// One allocation of a rank finds no memory, anywhere between MPI_Init and the end: the run ends, or does without, and
// goes on from what it had committed.
#include <gmock/gmock.h>

#include <map>

#include "tests/fault/victim.h"

namespace lockstep {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using tests::FaultRow;

class Memory : public tests::Victim {
 protected:
  Memory() : Victim(60) {}

  /// From MPI_Init to MPI_Finalize of rank 0, in a run to which nothing happens.
  int64_t allocations() {
    const std::string file = world_->path("allocations.txt");
    const auto job = start(0, 0, {"LOCKSTEP_SCARCE_COUNT=" + file});
    expect_to_end_as_unbroken(*job);
    begin_anew();
    return std::stoll(tests::read_file(file));
  }

  std::unique_ptr<tests::Background> start(int rank, int64_t failing, std::vector<std::string> variables = {}) {
    variables.insert(variables.end(),
                     {"LD_PRELOAD=" + tests::environment("LOCKSTEP_SCARCE_MEMORY"),
                      "LOCKSTEP_SCARCE_RANK=" + std::to_string(rank), "LOCKSTEP_SCARCE_AT=" + std::to_string(failing)});
    return go_on(variables);
  }

  /// False if the run, which went on from some step, came to its end before that allocation.
  bool fail_one(int rank, int64_t failing, FaultRow& row) {
    SCOPED_TRACE("allocation " + std::to_string(failing) + " of rank " + std::to_string(rank));
    const auto job = start(rank, failing);
    const double seconds = watch_its_end(*job, false);
    const int code = job->exit_code();
    const bool is_hit = job->output().find("scarce memory: none for ") != std::string::npos;
    if (is_hit) ++endings_[code];
    if (code == kDone) {
      expect_as_unbroken();
      begin_anew();
      return is_hit;
    }
    EXPECT_TRUE(is_hit) << job->output();
    row.took(seconds);
    EXPECT_LE(seconds, kAllowedSeconds) << "until nobody was left";
    EXPECT_THAT(job->output(), AnyOf(HasSubstr("error: "), HasSubstr("could not be written")));
    expect_nothing_lost();
    return true;
  }

  std::map<int, int> endings_;  // runs by their exit codes
};

TEST_F(Memory, OfWhichOneAllocationFindsNoneCostsNoCheckpoint) {
  FaultRow row("allocations", 6);
  const int64_t all = allocations();
  row.for_each_trial([&](FaultRow::Random& random) {
    const auto draw = [&random](int64_t count) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(count));
    };
    while (!fail_one(static_cast<int>(draw(2)), 1 + draw(all), row) && !HasFailure()) {
    }
  });
  std::printf("of %lld allocations; runs by their exit codes:", static_cast<long long>(all));
  for (const auto& [code, runs] : endings_)
    std::printf(" %d: %d", code, runs);
  std::printf("\n");
  expect_that_it_ends_as_if_unbroken();
}

}  // namespace
}  // namespace lockstep
