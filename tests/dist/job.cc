// A small job for job_test.sh: each mode is one way in which a job begins or ends.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "dist/agreement.h"
#include "dist/communicator.h"
#include "dist/mpi_environment.h"
#include "dist/reducer.h"

namespace {

using namespace lockstep::dist;

int print_facts(MpiEnvironment& mpi) {
  std::printf("rank %d of %d, local rank %d of %d on %s\n", mpi.rank(), mpi.world_size(), mpi.local_rank(),
              mpi.local_size(), mpi.host().empty() ? "nowhere" : "a host");
  mpi.finalize();
  return EXIT_SUCCESS;
}

/// All ranks learn of the last rank's failure and leave with its code.
int leave_together(MpiEnvironment& mpi) {
  const bool failed = mpi.rank() == mpi.world_size() - 1;
  const auto agreed =
      agree(*make_control_plane(), failed ? std::optional(Failure{mpi.rank(), 4, "damaged shard"}) : std::nullopt);
  std::printf("rank %d leaves with %d since rank %d said: %s\n", mpi.rank(), agreed->exit_code, agreed->rank,
              agreed->message.c_str());
  std::fflush(stdout);
  mpi.finalize();
  return agreed->exit_code;
}

/// The last rank ends by `end`, the others wait for it in a collective.
template <typename End>
int wait_for_a_rank_that(MpiEnvironment& mpi, End end) {
  const auto communicator = make_mpi_communicator();
  communicator->barrier();
  if (mpi.rank() == mpi.world_size() - 1) end();
  communicator->barrier();
  std::printf("rank %d went on without its peer\n", mpi.rank());
  return EXIT_SUCCESS;
}

/// The last rank ends by `end` after bucket 0 of a step, the others wait for bucket 1.
template <typename End>
int take_a_step_with_a_rank_that(MpiEnvironment& mpi, End end) {
  std::vector<float> gradients(1000);
  const auto communicator = make_mpi_communicator();
  Reducer reducer(*communicator, {{0, 400}, {400, 1000}}, gradients);
  reducer.mark_ready(0);
  if (mpi.rank() == mpi.world_size() - 1) end();
  reducer.mark_ready(1);
  reducer.finish();
  std::printf("rank %d went on without its peer\n", mpi.rank());
  return EXIT_SUCCESS;
}

/// MPI_Abort waits for mpirun's answer, which never comes.
[[noreturn]] void abort_under_a_stopped_mpirun() {
  kill(getppid(), SIGSTOP);
  MpiEnvironment::abort_job(7, 1.0);
}

int run(const std::string& mode) {
  MpiEnvironment mpi;
  if (mode == "facts") return print_facts(mpi);
  if (mode == "agree") return leave_together(mpi);
  if (mode == "killed") return wait_for_a_rank_that(mpi, [] { raise(SIGKILL); });
  if (mode == "exits") return wait_for_a_rank_that(mpi, [] { _exit(3); });
  if (mode == "aborts") return wait_for_a_rank_that(mpi, [] { MpiEnvironment::abort_job(9); });
  if (mode == "killed_in_reduction") return take_a_step_with_a_rank_that(mpi, [] { raise(SIGKILL); });
  if (mode == "throws_in_step")
    return take_a_step_with_a_rank_that(mpi, [] { throw std::runtime_error("out of memory"); });
  if (mode == "deadline") abort_under_a_stopped_mpirun();
  std::fprintf(stderr, "unknown mode %s\n", mode.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "threw: %s\n", error.what());
    MpiEnvironment::abort_job(EXIT_FAILURE);
  }
}
