// Tests that fail on the last rank only, run by job_test.sh: tests/support/mpi_main.cc must make mpirun fail and name
// the rank.
#include <gtest/gtest.h>

#include <stdexcept>

#include "dist/communicator.h"

namespace lockstep::dist {
namespace {

bool is_last(const Communicator& communicator) {
  return communicator.rank() == communicator.world_size() - 1;
}

TEST(OneRank, Fails) {
  EXPECT_FALSE(is_last(*make_mpi_communicator()));
}

TEST(OneRank, Throws) {
  const auto communicator = make_mpi_communicator();
  if (is_last(*communicator)) throw std::runtime_error("a test threw");
  communicator->barrier();
}

TEST(OneRank, LeavesACollective) {
  const auto communicator = make_mpi_communicator();
  ASSERT_FALSE(is_last(*communicator));
  communicator->barrier();
}

TEST(OneRank, FailsAfterAnotherTestWasSkipped) {
  EXPECT_FALSE(is_last(*make_mpi_communicator()));
}
TEST(AllRanks, AreSkipped) {
  GTEST_SKIP() << "on purpose";
}

}  // namespace
}  // namespace lockstep::dist
