#include "launcher/job.h"

#include <optional>

#include "launcher/errors.h"
#include "launcher/log.h"

namespace lockstep {

Job::Job() : control_(dist::make_control_plane()), gradients_(dist::make_mpi_communicator()) {}

void Job::together(const std::function<void()>& work) {
  std::optional<dist::Failure> mine;
  try {
    work();
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    mine = dist::Failure{rank(), problem.exit_code, problem.message};
  }
  if (const auto failure = dist::agree(*control_, mine)) throw AgreedFailure(*failure);
}

void Job::finalize() {
  gradients_.reset();
  control_.reset();
  environment_.finalize();
}

namespace {

std::string printable(const dist::Failure& failure) {
  return failure.rank == 0 ? failure.message : "rank " + std::to_string(failure.rank) + ": " + failure.message;
}

}  // namespace

int run_job(const std::function<void(Job&)>& body) {
  std::optional<Job> job;
  try {
    job.emplace();
    body(*job);
    job->finalize();
    return kDone;
  } catch (const AgreedFailure& agreed) {
    if (job->is_main()) print_error(printable(agreed.failure()));
    job->finalize();
    return agreed.failure().exit_code;
  } catch (const std::exception& error) {
    const Problem problem = problem_of(error);
    const bool alone = job && job->world_size() == 1;
    print_error(job && !alone ? "rank " + std::to_string(job->rank()) + ": " + problem.message : problem.message);
    dist::MpiEnvironment::abort_job(problem.exit_code);
  }
}

}  // namespace lockstep
