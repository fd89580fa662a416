#pragma once

#include "launcher/launch/job_output.h"
#include "launcher/launch/launch_plan.h"

namespace lockstep {

/// How a job ended, as far as launch has seen it.
struct JobEnd {
  int status = 0;           // mpirun's, as of waitpid()
  int stopped_at_once = 0;  // the signal to launch after which the ranks were ended: SIGINT, SIGTERM, SIGHUP; 0: none
  bool given_up = false;    // mpirun had to be killed, since it waited for a host that is gone
  JobOutput output;
};

/// Runs the job to its end and passes its standard error on. SIGINT or SIGUSR1 asks the ranks to stop after their step
/// (SIGUSR1 to mpirun); another SIGINT ends them (SIGTERM, after a while SIGKILL), as SIGTERM and SIGHUP do, unless
/// that was ignored from the start, as under nohup. An mpirun that does not end after a rank has ended the job is
/// killed. These signals and SIGCHLD and SIGWINCH stay blocked in this process. SIGCHLD must not be ignored. Throws
/// std::system_error.
JobEnd supervise(const LaunchPlan& plan);

}  // namespace lockstep
