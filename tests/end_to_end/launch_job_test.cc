// `lockstep launch` over the real mpirun: what ranks get, how jobs stop, what is said at the end.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "launcher/exit_codes.h"
#include "launcher/machine.h"
#include "tests/end_to_end/launched_world.h"

namespace lockstep {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using tests::becomes_true;
using tests::Outcome;
using tests::quoted;

class LaunchedJob : public tests::LaunchedWorld {
 protected:
  /// To its end, with the words after launch's options.
  static Outcome run(const std::string& options, const std::string& more) {
    std::string command;
    for (const std::string& argument : train())
      command += quoted(argument) + " ";
    return tests::lockstep("launch " + options + " -- " + command + more);
  }

  /// What a stop in common leaves.
  static void expect_stopped_run(const std::string& output) {
    EXPECT_THAT(output, HasSubstr("stopped on request after step "));
    EXPECT_THAT(output, Not(HasSubstr("mpirun")));
    for (const char* file : {"model.safetensors", "config.json", "README.md", "train_results.json"})
      EXPECT_TRUE(std::filesystem::exists(run_folder() + "/" + file)) << file;
    const auto state = nlohmann::json::parse(tests::read_file(run_folder() + "/trainer_state.json"));
    EXPECT_GT(state["global_step"], 0);
    const std::string metrics = tests::read_file(run_folder() + "/metrics.jsonl");
    const std::string last = metrics.substr(metrics.rfind('\n', metrics.size() - 2) + 1);
    EXPECT_EQ(state["global_step"], nlohmann::json::parse(last)["step"]);
    EXPECT_THAT(output, HasSubstr("after step " + state["global_step"].dump() + " of "));
  }

  static std::string rsh_agent(const std::string& script) {
    const std::string path = world_->path("rsh_agent_stand_in");
    std::ofstream(path) << "#!/bin/sh\n" << script;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return "OMPI_MCA_plm_rsh_agent=" + path + " ";
  }
};

TEST_F(LaunchedJob, RanksShareOutTheCores) {
  const int share = std::max(1, available_cores() / 2);
  EXPECT_THAT(run("-n 2", "--max_steps 1").output, HasSubstr("threads per rank = " + std::to_string(share)));
  EXPECT_THAT(run("-n 2 --threads 3", "--max_steps 1").output, HasSubstr("threads per rank = 3"));
}

TEST_F(LaunchedJob, RanksMayRunOnAllCoresOfLaunch) {
  const auto job = launch(2);
  ASSERT_TRUE(comes_to_train()) << job->output();
  const std::string own = tests::SeenProcess{getpid(), ""}.status("Cpus_allowed_list");
  EXPECT_EQ(ranks().size(), 2u);
  for (const tests::SeenProcess& rank : ranks())
    EXPECT_EQ(rank.status("Cpus_allowed_list"), own);
}

TEST_F(LaunchedJob, ADryRunPrintsALineThatDoesTheSame) {
  const Outcome dry = tests::lockstep("launch -n 2 --dry_run -- train --help 2>/dev/null");
  EXPECT_EQ(dry.exit_code, 0);
  const Outcome by_hand = tests::run(dry.output.substr(0, dry.output.find('\n')));
  EXPECT_EQ(by_hand.exit_code, 0) << dry.output;
  EXPECT_THAT(by_hand.output, HasSubstr("--learning_rate"));
}

TEST_F(LaunchedJob, TheFailingRanksMessageIsTheLastAndItsCodeIsPassedOn) {
  const Outcome usage = run("-n 2", "--lerning_rate 1");
  EXPECT_EQ(usage.exit_code, kUsage);
  EXPECT_THAT(usage.output, EndsWith("did you mean --learning_rate?\nSee lockstep train --help.\n"));
  const Outcome numeric = run("-n 2", "--learning_rate 1e30");
  EXPECT_EQ(numeric.exit_code, kNumeric);
  EXPECT_THAT(numeric.output.substr(numeric.output.rfind("error: ")), HasSubstr("the update was withheld"));
  EXPECT_THAT(numeric.output, Not(HasSubstr("Primary job")));
}

TEST_F(LaunchedJob, CtrlCStopsAllRanksAfterTheSameStep) {
  const auto job = launch(2);
  ASSERT_TRUE(comes_to_train()) << job->output();
  job->signal(SIGINT);
  EXPECT_EQ(job->exit_code(), kStopped) << job->output();
  EXPECT_THAT(job->output(), HasSubstr("stopping after this step; Ctrl-C again to stop now"));
  expect_stopped_run(job->output());
}

TEST_F(LaunchedJob, UnderNohupItOutlivesItsTerminal) {
  const auto job = start(
      {"sh", "-c", "trap '' HUP; exec \"$@\"", "sh", tests::environment("LOCKSTEP_BINARY"), "launch", "-n", "2", "--"},
      {});
  ASSERT_TRUE(comes_to_train()) << job->output();
  job->signal(SIGHUP);
  job->signal(SIGINT);  // of two that are pending the former number comes first
  EXPECT_EQ(job->exit_code(), kStopped) << job->output();
}

TEST_F(LaunchedJob, OfAParentThatIgnoresItsChildrenItHearsTheEnd) {
  const auto job = start(
      {"sh", "-c", "trap '' CHLD; exec \"$@\"", "sh", tests::environment("LOCKSTEP_BINARY"), "launch", "-n", "2", "--"},
      {"--max_steps", "1"});
  EXPECT_EQ(job->exit_code(), kDone) << job->output();
}

/// mpirun would see one place, the task's, and none for a second rank.
TEST_F(LaunchedJob, InABatchJobOfOneTaskAllRanksStart) {
  std::string command;
  for (const std::string& argument : train())
    command += quoted(argument) + " ";
  const Outcome outcome =
      tests::run("SLURM_JOB_ID=7 SLURM_JOBID=7 SLURM_NNODES=1 SLURM_NODELIST=$(hostname) SLURM_TASKS_PER_NODE=1 " +
                 quoted(tests::environment("LOCKSTEP_BINARY")) + " launch -n 2 -- " + command + "--max_steps 1");
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
}

/// SIGUSR1, as each of its ranks takes it.
TEST_F(LaunchedJob, CtrlCOrUsr1BeforeTheRanksAreThereIsNotLost) {
  for (const int request : {SIGINT, SIGUSR1}) {
    SCOPED_TRACE(request);
    std::filesystem::remove_all(run_folder());
    const auto job = launch(2);
    ASSERT_TRUE(becomes_true([] { return !mpiruns().empty(); }, tests::kPatience));
    job->signal(request);
    EXPECT_EQ(job->exit_code(), kStopped) << job->output();
    expect_stopped_run(job->output());
  }
}

TEST_F(LaunchedJob, CtrlCStopsARunThatMostlyEvaluates) {
  // Sixteen batches of one example for each step.
  const auto job = launch(2, {"--eval_strategy", "steps", "--eval_steps", "1", "--per_device_eval_batch_size", "1"});
  ASSERT_TRUE(comes_to_train()) << job->output();
  job->signal(SIGINT);
  EXPECT_EQ(job->exit_code(), kStopped) << job->output();
  EXPECT_THAT(job->output(), HasSubstr("stopped on request after step "));
}

TEST_F(LaunchedJob, ASecondCtrlCEndsItAtOnce) {
  const auto job = launch(2);
  ASSERT_TRUE(comes_to_train()) << job->output();
  // The ranks are held, so that the step does not end between the two.
  for (const tests::SeenProcess& rank : ranks())
    kill(rank.pid, SIGSTOP);
  job->signal(SIGINT);
  ASSERT_TRUE(becomes_true([&] { return job->output().find("Ctrl-C again") != std::string::npos; }, tests::kPatience));
  job->signal(SIGINT);
  EXPECT_EQ(job->exit_code(), kInterrupted) << job->output();
  EXPECT_TRUE(all_are_gone(5));
}

TEST_F(LaunchedJob, TermEndsItAtOnce) {
  const auto job = launch(2);
  ASSERT_TRUE(comes_to_train()) << job->output();
  job->signal(SIGTERM);
  EXPECT_EQ(job->exit_code(), 128 + SIGTERM) << job->output();
  EXPECT_TRUE(all_are_gone(5));
}

TEST_F(LaunchedJob, ByHandUsr1ToMpirunStopsAfterTheStepFromTheFirstMomentOn) {
  for (const bool early : {true, false}) {
    std::filesystem::remove_all(run_folder());
    const auto job = start({"mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "2",
                            tests::environment("LOCKSTEP_BINARY")},
                           {});
    ASSERT_TRUE(becomes_true([&] { return early ? ranks().size() == 2 : trains(); }, tests::kPatience))
        << job->output();
    // Early: held since main(), while LibTorch is being loaded and no handler is there.
    for (const tests::SeenProcess& rank : ranks())
      ASSERT_TRUE(becomes_true([&] { return early ? rank.blocks(SIGUSR1) : rank.handles(SIGUSR1); }, tests::kPatience));
    job->signal(SIGUSR1);
    EXPECT_EQ(job->exit_code(), kStopped) << job->output();
    EXPECT_THAT(job->output(), HasSubstr("stopped on request after step "));
  }
}

TEST_F(LaunchedJob, OneProcessWithoutMpirunStopsOnUsr1Too) {
  const auto job = start({tests::environment("LOCKSTEP_BINARY")}, {});
  ASSERT_TRUE(comes_to_train()) << job->output();
  job->signal(SIGUSR1);
  EXPECT_EQ(job->exit_code(), kStopped) << job->output();
  expect_stopped_run(job->output());
}

TEST_F(LaunchedJob, AnUnknownHostIsNamedByAnRshAgentStandIn) {
  const std::string agent = rsh_agent("echo 'ssh: Could not resolve hostname' >&2; exit 255\n");
  const Outcome outcome = tests::run(agent + quoted(tests::environment("LOCKSTEP_BINARY")) +
                                     " launch --hosts no-such-host.invalid:1 -- train");
  EXPECT_EQ(outcome.exit_code, kNotStarted) << outcome.output;
  EXPECT_THAT(outcome.output.substr(outcome.output.rfind("error: ")), HasSubstr("unknown host: no-such-host.invalid;"));
}

TEST_F(LaunchedJob, AHostWithoutTheProgramIsNamedByAnRshAgentStandIn) {
  const std::string program = world_->path("lockstep_of_one_host");
  std::filesystem::copy_file(tests::environment("LOCKSTEP_BINARY"), program);
  // Runs the daemon here, after the program has gone: what another host looks like that never had it.
  const std::string agent =
      rsh_agent("while [ \"${1#-}\" != \"$1\" ]; do shift; done\nshift\nrm " + program + "\nexec sh -c \"$*\"\n");
  const Outcome outcome = tests::run(agent + program + " launch --hosts elsewhere:1 -- train");
  EXPECT_EQ(outcome.exit_code, kNotStarted) << outcome.output;
  EXPECT_THAT(outcome.output.substr(outcome.output.rfind("error: ")),
              HasSubstr("host elsewhere has no program at " + program));
}

TEST_F(LaunchedJob, WithoutMpirunItSaysWhatToInstall) {
  const Outcome outcome = tests::run("PATH=/nowhere LOCKSTEP_MPIRUN= " + quoted(tests::environment("LOCKSTEP_BINARY")) +
                                     " launch -- train");
  EXPECT_EQ(outcome.exit_code, kNotStarted);
  EXPECT_THAT(outcome.output, EndsWith("or name it: LOCKSTEP_MPIRUN=/path/to/mpirun\n"));
}

TEST_F(LaunchedJob, TheProgramThatLaunchesLoadsNeitherLibTorchNorMpi) {
  const std::string libraries = tests::run("ldd " + quoted(tests::environment("LOCKSTEP_BINARY"))).output;
  EXPECT_THAT(libraries, HasSubstr("libc.so"));
  for (const char* library : {"torch", "libmpi", "hdf5"})
    EXPECT_THAT(libraries, Not(HasSubstr(library)));
}

TEST_F(LaunchedJob, TheProgramThatExportsLoadsNeitherLibTorchNorMpi) {
  const std::string libraries = tests::run("ldd " + quoted(tests::environment("LOCKSTEP_BINARY") + "-export")).output;
  EXPECT_THAT(libraries, HasSubstr("hdf5"));
  for (const char* library : {"torch", "libmpi"})
    EXPECT_THAT(libraries, Not(HasSubstr(library)));
}

}  // namespace
}  // namespace lockstep
