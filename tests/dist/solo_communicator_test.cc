#include <gtest/gtest.h>

#include <stdexcept>

#include "dist/communicator.h"
#include "dist/error.h"

namespace lockstep::dist {
namespace {

class SoloCommunicatorTest : public testing::Test {
 protected:
  const std::unique_ptr<Communicator> communicator = make_solo_communicator();
  std::vector<float> values{1, 2, 3};
};

TEST_F(SoloCommunicatorTest, LeavesValuesAsTheyAreAndTellsOfEveryReduction) {
  communicator->start_all_reduce_sum(values);
  communicator->start_all_reduce_sum(std::span<BFloat16>());
  EXPECT_EQ(communicator->wait().reductions.size(), 2U);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3}));
  EXPECT_TRUE(communicator->wait().reductions.empty());
}

TEST_F(SoloCommunicatorTest, RefusesABarrierWhileReductionsArePending) {
  communicator->start_all_reduce_sum(values);
  EXPECT_THROW(communicator->barrier(), std::logic_error);
  communicator->wait();
  communicator->barrier();
}

TEST_F(SoloCommunicatorTest, AfterAbortEveryCallIsRefused) {
  communicator->abort(kAbortExitCode, 1);
  EXPECT_THROW(communicator->start_all_reduce_sum(values), CommunicationError);
  EXPECT_THROW(communicator->wait(), CommunicationError);
  EXPECT_THROW(communicator->barrier(), CommunicationError);
}

}  // namespace
}  // namespace lockstep::dist
