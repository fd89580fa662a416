// Runs under mpirun at several world sizes; every rank runs every test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "dist/communicator.h"
#include "dist/error.h"
#include "dist/mpi_environment.h"

namespace lockstep::dist {
namespace {

TEST(Environment, ASecondOneInTheProcessIsRefused) {
  EXPECT_THROW(MpiEnvironment(), std::logic_error);
}

TEST(Environment, OpenMpiIsAskedForTheRingWhereNobodyChose) {
  EXPECT_STREQ(std::getenv("OMPI_MCA_coll_tuned_use_dynamic_rules"), "1");
  EXPECT_STREQ(std::getenv("OMPI_MCA_coll_tuned_allreduce_algorithm"), "4");
}

TEST(Environment, TheLibraryNamesItself) {
  EXPECT_THAT(MpiEnvironment::library_version(), testing::HasSubstr("MPI"));
}

// A dead branch otherwise: MPI's default is to end the process inside the call.
TEST(Environment, AnErrorOfMpiComesBackAsAnExceptionThatNamesTheCall) {
  const auto control = make_control_plane();
  std::byte byte{};
  EXPECT_THAT([&] { control->broadcast(std::span(&byte, 1), control->world_size()); },
              testing::ThrowsMessage<CommunicationError>(testing::AllOf(
                  testing::HasSubstr("MPI_Bcast failed (control_plane.cc:"), testing::HasSubstr("invalid root"))));
}

}  // namespace
}  // namespace lockstep::dist
