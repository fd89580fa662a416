#include "launcher/job/job.h"

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "dist/exit_deadline.h"
#include "dist/noted.h"
#include "launcher/errors.h"
#include "launcher/failpoint.h"
#include "launcher/job/log.h"
#include "launcher/job/stop_request.h"
#include "launcher/job/termination.h"

namespace lockstep {

Job::Job(dist::MpiEnvironment& environment)
    : environment_(environment), control_(dist::noted(dist::make_control_plane(), activity_)) {}

dist::Communicator& Job::gradients() {
  if (gradients_ == nullptr) throw std::logic_error("gradients are not connected yet");
  return *gradients_;
}

void Job::connect_gradients(const std::function<std::unique_ptr<dist::Communicator>()>& connect) {
  const dist::ActivityLog::Wait wait(activity_, "connecting what carries gradients");
  gradients_ = dist::noted(connect(), activity_);
}

void Job::watch(double timeout_seconds) {
  timeout_seconds = std::stod(control_->broadcast(std::to_string(timeout_seconds), 0));
  if (timeout_seconds == 0) return;
  dist::WatchOptions options;
  if (timeout_seconds > 0) options.timeout_seconds = timeout_seconds;
  options.host = environment_.host();
  options.exit_code = kHang;
  options.error_exit_code = kPeerLost;
  options.report = [](const std::string& why) {
    print_error(why);
    tell_launch_of_an_abort(kHang);
  };
  watch_.emplace(activity_, std::move(options));
}

void Job::leave() {
  activity_.phase("leaving", dist::Pace::kOpen);
  control_->idle_barrier();
  if (watch_) watch_->leave();
}

void Job::together(const std::function<void()>& work) {
  std::optional<dist::Failure> mine;
  try {
    work();
  } catch (const std::exception& error) {
    const Problem problem = problem_in_training(error);
    mine = dist::Failure{rank(), problem.exit_code, problem.message};
  }
  if (const auto failure = dist::agree(*control_, mine)) throw AgreedFailure(*failure);
}

namespace {

std::string printable(const dist::Failure& failure) {
  return failure.rank == 0 ? failure.message : "rank " + std::to_string(failure.rank) + ": " + failure.message;
}

/// The body's exit code: an agreed failure becomes one, anything else leaves as the exception that it is.
int outcome_of(const std::function<int(Job&)>& body, Job& job) {
  try {
    return body(job);
  } catch (const AgreedFailure& agreed) {
    if (job.is_main()) print_error(printable(agreed.failure()));
    return agreed.failure().exit_code;
  }
}

[[noreturn]] void end_alone(const std::exception& error, const dist::MpiEnvironment* environment) {
  const Problem problem = problem_in_training(error);
  const bool has_peers = environment != nullptr && environment->world_size() > 1;
  print_error(has_peers ? "rank " + std::to_string(environment->rank()) + ": " + problem.message : problem.message);
  if (has_peers) tell_launch_of_an_abort(problem.exit_code);
  dist::MpiEnvironment::abort_job(problem.exit_code);
}

/// Nobody watches any longer, and MPI waits for all ranks.
void finalize(dist::MpiEnvironment& environment, int exit_code) {
  constexpr double kSeconds = 60;  // more than the end of a NCCL that hangs takes
  const dist::ExitDeadline deadline(exit_code, kSeconds);
  environment.finalize();
}

/// What is left are the ends of libraries, CUDA's among them: one that hangs keeps neither a job that is done nor its
/// exit code. Never destroyed, for those ends come last.
void end_in_time(int exit_code) {
  constexpr double kSeconds = 30;
  std::fflush(nullptr);
  static const auto* const deadline = new dist::ExitDeadline(exit_code, kSeconds);
  static_cast<void>(deadline);
}

}  // namespace

int run_job(const std::function<int(Job&)>& body) {
  std::signal(SIGPIPE, SIG_IGN);  // who reads our output may leave: that fails the write, not the training
  take_stop_requests();
  take_termination();
  std::optional<dist::MpiEnvironment> environment;
  try {
    environment.emplace();
    if (environment->rank() == 0) tell_launch_that_ranks_are_ready();  // MPI_Init has waited for all
    int exit_code = kDone;
    {
      Job job(*environment);
      exit_code = outcome_of(body, job);
      job.leave();
    }
    failpoint("before-finalize");
    finalize(*environment, exit_code);
    failpoint("finalized");
    end_in_time(exit_code);
    return exit_code;
  } catch (const std::exception& error) {
    end_alone(error, environment ? &*environment : nullptr);
  }
}

}  // namespace lockstep
