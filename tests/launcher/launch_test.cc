#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "launcher/cli/command_line.h"
#include "launcher/errors.h"
#include "launcher/job/launch_marks.h"
#include "launcher/launch/launch_options.h"
#include "launcher/launch/launch_plan.h"
#include "launcher/launch/verdict.h"
#include "tests/support/process.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

template <typename Error>
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing of that type was thrown";
  return "";
}

TEST(Hosts, HaveTheirNumberOfRanksOrOne) {
  EXPECT_THAT(parse_hosts("a:4,node-2.lan,c:1"), ElementsAre(Host{"a", 4}, Host{"node-2.lan", 1}, Host{"c", 1}));
  EXPECT_EQ(total_slots(parse_hosts("a:4,b,c:2")), 7);
  EXPECT_EQ(host_argument(parse_hosts("a:4,b")), "a:4,b:1");
}

TEST(Hosts, WhatIsNoHostIsNamed) {
  for (const char* text :
       {"", "a:", "a:0", "a:-1", "a:x", "a:4x", "a:4:2", ":4", "a,,b", "a,", "a b", "-x:1", "a:9999", "a:2,a:3"})
    EXPECT_THAT(message_of<UsageError>([&] { parse_hosts(text); }), HasSubstr("expected NAME:RANKS")) << text;
}

TEST(LaunchOptions, EndAtTheTwoDashes) {
  const LaunchOptions o = parse_launch_options({"-n", "3", "--dry-run", "--threads=2", "--", "train", "-n", "--", "x"});
  EXPECT_EQ(o.ranks, 3);
  EXPECT_EQ(o.threads, 2);
  EXPECT_TRUE(o.dry_run);
  EXPECT_THAT(o.command, ElementsAre("train", "-n", "--", "x"));
}

TEST(LaunchOptions, AMistakeIsExplained) {
  const std::pair<Words, const char*> mistakes[] = {
      {{}, "nothing to launch"},
      {{"-n", "2", "--"}, "nothing to launch"},
      {{"-n", "2", "train"}, "-- is missing before train"},
      {{"-n", "0", "--", "train"}, "found \"0\", expected a whole number from 1 to 65536"},
      {{"-np", "2", "--", "train"}, "unknown option -np: here -n"},
      {{"--nproc_per_node=2", "--", "train"}, "--nproc_per_node: here -n"},
      {{"-n", "two", "--", "train"}, "two"},
      {{"--hosts", "", "--", "train"}, "--hosts"},
      {{"--host", "a:1", "--", "train"}, "did you mean --hosts?"},
      {{"--", "prepare"}, "lockstep prepare is one process"},
      {{"--", "launch"}, "lockstep launch is one process"},
      {{"--", "trian"}, "no such command: trian"}};
  for (const auto& [arguments, words] : mistakes)
    EXPECT_THAT(message_of<UsageError>([&, a = arguments] { parse_launch_options(a); }), HasSubstr(words));
}

class Plan : public testing::Test {
 protected:
  Plan() {
    facts_.cores = 8;
    facts_.physical_cores = 4;
    facts_.mpirun = "mpirun";
    facts_.program = "/opt/lockstep";
    options_.command = {"train", "--seed", "1"};
  }
  LaunchPlan plan() const { return make_launch_plan(options_, facts_); }
  std::string notes() const {
    std::string text;
    for (const std::string& note : plan().notes)
      text += note + "\n";
    return text;
  }

  MachineFacts facts_;
  LaunchOptions options_;
};

TEST_F(Plan, WithoutGpusOneRankHasAllCores) {
  EXPECT_THAT(plan().argv,
              ElementsAre("mpirun", "-np", "1", "--bind-to", "none", "/opt/lockstep", "train", "--seed", "1"));
  EXPECT_EQ(notes(), "launching 1 rank on this machine (8 cores, no GPU in use), 8 threads each\n");
}

TEST_F(Plan, EachGpuHasARank) {
  facts_.gpus = 2;
  EXPECT_EQ(plan().ranks, 2);
  options_.command = {"train", "--device", "cpu"};
  EXPECT_EQ(plan().ranks, 1);
  options_.command = {"train", "--device=cpu"};
  EXPECT_EQ(plan().ranks, 1);
}

TEST_F(Plan, MoreRanksThanGpusAreRefusedWithTheRemedy) {
  facts_.gpus = 2;
  options_.ranks = 3;
  EXPECT_THAT(message_of<SettingsError>([&] { plan(); }), HasSubstr("-n 3, but this machine shows 2 GPUs"));
  EXPECT_THAT(message_of<SettingsError>([&] { plan(); }), HasSubstr("--device cpu"));
  options_.command.emplace_back("--device=cpu");
  EXPECT_EQ(plan().ranks, 3);
}

TEST_F(Plan, InABatchJobRanksStayOnThisMachine) {
  EXPECT_FALSE(plan().settings.contains("OMPI_MCA_ras"));
  facts_.environment["SLURM_JOB_ID"] = "7";
  EXPECT_EQ(plan().settings.at("OMPI_MCA_ras"), "^slurm,gridengine");
  facts_.environment["OMPI_MCA_ras"] = "slurm";
  EXPECT_FALSE(plan().settings.contains("OMPI_MCA_ras")) << "the user has chosen";
}

TEST_F(Plan, CoresAreSharedOut) {
  options_.ranks = 3;
  EXPECT_THAT(notes(), HasSubstr("2 threads each"));
  facts_.environment["OMP_NUM_THREADS"] = "5";
  EXPECT_THAT(notes(), HasSubstr("OMP_NUM_THREADS=5 threads each"));
  options_.threads = 4;
  EXPECT_THAT(notes(), HasSubstr("4 threads each"));
  EXPECT_EQ(plan().settings.at("OMP_NUM_THREADS"), "4");
}

TEST_F(Plan, OneThreadIsNotThreads) {
  options_.ranks = 8;
  EXPECT_THAT(notes(), HasSubstr(", 1 thread each\n"));
  facts_.environment["OMP_NUM_THREADS"] = "1";
  EXPECT_THAT(notes(), HasSubstr(", OMP_NUM_THREADS=1 thread each\n"));
  options_.threads = 1;
  EXPECT_THAT(notes(), HasSubstr(", 1 thread each\n"));
}

TEST_F(Plan, OnlyMoreRanksThanPhysicalCoresAreOversubscribed) {
  options_.ranks = 4;
  EXPECT_THAT(plan().argv, Not(testing::Contains("--oversubscribe")));
  options_.ranks = 5;
  EXPECT_THAT(plan().argv, testing::Contains("--oversubscribe"));
  EXPECT_THAT(notes(), HasSubstr("more ranks (5) than physical cores (4): --oversubscribe\n"));
}

TEST_F(Plan, RootIsAllowedOnlyWhereItIsRoot) {
  EXPECT_FALSE(plan().settings.contains("OMPI_ALLOW_RUN_AS_ROOT"));
  facts_.is_root = true;
  EXPECT_EQ(plan().settings.at("OMPI_ALLOW_RUN_AS_ROOT"), "1");
  EXPECT_EQ(plan().settings.at("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1");
  EXPECT_THAT(notes(), HasSubstr("running as root"));
  facts_.environment = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  EXPECT_THAT(notes(), Not(HasSubstr("root")));
}

TEST_F(Plan, HostsGetTheirRanksAndWhatTheyNeedOfTheEnvironment) {
  options_.hosts = parse_hosts("a:4,b:4");
  options_.threads = 2;
  facts_.environment = {{"LD_LIBRARY_PATH", "/opt/lib"}, {"HOME", "/h"}, {"NCCL_DEBUG", "INFO"}, {"OPAL_PREFIX", "/o"}};
  facts_.mpirun = "/opt/mpirun";
  facts_.gpus = 2;  // this machine's say nothing about the hosts'
  EXPECT_THAT(plan().argv,
              ElementsAre("/opt/mpirun", "-np", "8", "--bind-to", "none", "--host", "a:4,b:4", "-x", "LD_LIBRARY_PATH",
                          "-x", kMarksVariable, "-x", "NCCL_DEBUG", "-x", "OMP_NUM_THREADS", "-x", "OPAL_PREFIX",
                          "/opt/lockstep", "train", "--seed", "1"));
}

TEST_F(Plan, ContactWithHostsIsKeptUnlessTheUserSaysHow) {
  EXPECT_FALSE(plan().settings.contains("OMPI_MCA_oob_tcp_keepalive_time"));
  options_.hosts = parse_hosts("a,b");
  EXPECT_EQ(plan().settings.at("OMPI_MCA_oob_tcp_keepalive_time"), "30");
  facts_.environment["OMPI_MCA_oob_tcp_keepalive_time"] = "300";
  EXPECT_FALSE(plan().settings.contains("OMPI_MCA_oob_tcp_keepalive_time"));
}

TEST_F(Plan, FewerRanksThanPlacesAreFineAndMoreAreNot) {
  options_.hosts = parse_hosts("a:4,b:4");
  options_.ranks = 5;
  EXPECT_EQ(plan().ranks, 5);
  options_.ranks = 9;
  EXPECT_THAT(message_of<UsageError>([&] { plan(); }), HasSubstr("has places for 8 ranks"));
}

TEST_F(Plan, AShellCanReadItsLine) {
  facts_.is_root = true;
  options_.hosts = parse_hosts("a");
  options_.command = {"train", "--output_dir", "it's mine"};
  EXPECT_EQ(
      shell_line(plan()),
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_oob_tcp_keepalive_intvl=10 "
      "OMPI_MCA_oob_tcp_keepalive_probes=3 OMPI_MCA_oob_tcp_keepalive_time=30 mpirun -np 1 --bind-to none --host a:1 "
      "/opt/lockstep train --output_dir 'it'\\''s mine'");
}

TEST(QuotedLine, OfWordsThatWouldDriveATerminalIsVisibleAndReadAsTheyWere) {
  const std::string word = "it's\x1b]0;a\x07\xE2\x80\xAE\xC2\x9b\n\\ \xFF";
  const std::string line = quoted_line({"printf", "%s", word});
  EXPECT_EQ(line, R"(printf %s $'it\x27s\x1b]0;a\x07\xe2\x80\xae\xc2\x9b\x0a\x5c \xff')");
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "line.sh") << line;
  EXPECT_EQ(tests::run("bash " + (folder / "line.sh")).output, word);
}

TEST(Mpirun, IsTheNamedOneThenTheOneBesideTheProgramThenThatOfPath) {
  const auto only = [](const std::string& there) { return [there](const std::string& path) { return path == there; }; };
  EXPECT_EQ(find_mpirun({{"LOCKSTEP_MPIRUN", "/my/mpirun"}}, "/opt", only("/my/mpirun")), "/my/mpirun");
  EXPECT_EQ(find_mpirun({{"PATH", "/usr/bin"}}, "/opt", only("/opt/mpirun")), "/opt/mpirun");
  EXPECT_EQ(find_mpirun({{"PATH", "/bin:/usr/bin"}}, "/opt", only("/usr/bin/mpirun")), "mpirun");
  EXPECT_THAT(message_of<NotStartedError>([&] {
                find_mpirun({{"PATH", "/bin"}}, "/opt", only(""));
              }),
              HasSubstr("apt-get install openmpi-bin"));
  EXPECT_THAT(message_of<NotStartedError>([&] {
                find_mpirun({{"LOCKSTEP_MPIRUN", "/no"}}, "/opt", only("/opt/mpirun"));
              }),
              HasSubstr("LOCKSTEP_MPIRUN=/no"));
}

TEST(Program, OfABundleIsItsScript) {
  EXPECT_EQ(find_program({}, "/opt/bin/lockstep"), "/opt/bin/lockstep");
  EXPECT_EQ(find_program({{"LOCKSTEP_BUNDLE", "/b"}}, "/b/libexec/lockstep"), "/b/bin/lockstep");
  EXPECT_EQ(find_program({{"LOCKSTEP_BUNDLE", "/b"}}, "/opt/bin/lockstep"), "/opt/bin/lockstep");
}

TEST(Gpus, AreThoseThatTheEnvironmentShows) {
  EXPECT_EQ(visible_gpus(4, {}), 4);
  EXPECT_EQ(visible_gpus(4, {{"CUDA_VISIBLE_DEVICES", "2,3"}}), 2);
  EXPECT_EQ(visible_gpus(4, {{"CUDA_VISIBLE_DEVICES", ""}}), 0);
  EXPECT_EQ(visible_gpus(4, {{"CUDA_VISIBLE_DEVICES", "-1"}}), 0);
  EXPECT_EQ(visible_gpus(0, {{"CUDA_VISIBLE_DEVICES", "0,1"}}), 0);
}

const std::string kRule = std::string(74, '-') + "\n";
const std::string kSignalBlock =
    kRule + "mpirun noticed that process rank 1 with PID 0 on node h2 exited on signal 9 (Killed).\n" + kRule;

std::string marked(const std::string& error) {
  return kErrorBegins + error + kErrorEnds;
}

std::string aborting(int exit_code) {
  return kAborting + std::to_string(exit_code) + kAborting;
}

TEST(JobOutput, PassesTextAtOnceAlsoWithoutALineEnd) {
  JobOutput output;
  EXPECT_EQ(output.pass("\r\033[Ktraining 3/5 -"), "\r\033[Ktraining 3/5 ");
  EXPECT_EQ(output.pass("- lr"), "-- lr");
  EXPECT_EQ(output.rest(), "");
}

TEST(JobOutput, TakesMarksOutAndRemembersTheFirstError) {
  JobOutput output;
  EXPECT_EQ(output.pass("a" + std::string(1, kRanksReady) + "b"), "ab");
  EXPECT_TRUE(output.ranks_are_ready());
  const std::string stream = marked("error: one\nand more\n") + "log\n" + marked("error: two\n");
  std::string printed;
  for (const char byte : stream)
    printed += output.pass(std::string(1, byte));
  EXPECT_EQ(printed, "error: one\nand more\nlog\nerror: two\n");
  EXPECT_EQ(output.first_error(), "error: one\nand more\n");
  EXPECT_FALSE(output.error_is_last());
}

TEST(JobOutput, RemembersTheCodeOfTheFirstRankThatEndsTheJob) {
  JobOutput output;
  EXPECT_EQ(output.abort_code(), std::nullopt);
  EXPECT_EQ(output.pass("a" + aborting(7) + "b" + aborting(6) + "5"), "ab5");
  EXPECT_EQ(output.abort_code(), 7);
}

TEST(JobOutput, SetsMpirunsLastWordsAsideAndPassesItsOthers) {
  const std::string other = kRule + "WARNING: a network is slow\n" + kRule;
  for (const size_t piece : {1, 7, 4096}) {
    JobOutput output;
    const std::string stream = "bar" + kSignalBlock + other + "end\n";
    std::string printed;
    for (size_t at = 0; at < stream.size(); at += piece)
      printed += output.pass(stream.substr(at, piece));
    EXPECT_EQ(output.epitaph(), kSignalBlock) << piece;
    EXPECT_EQ(printed, "bar" + other + "end\n") << piece;
  }
}

TEST(JobOutput, LeavesOutThatMpirunHandsASignalOn) {
  JobOutput output;
  EXPECT_EQ(output.pass("a\nmpirun: Forwarding signal 10 to job\nb\n"), "a\nb\n");
}

TEST(JobOutput, ALineOfDashesDoesNotHoldTheRestBack) {
  JobOutput output;
  std::string printed = output.pass(kRule);
  for (int line = 0; line < 2000; ++line)
    printed += output.pass("a log line\n");
  EXPECT_GT(printed.size(), 10000u);
  EXPECT_EQ((printed + output.rest()).size(), kRule.size() + 2000 * 11);
}

JobEnd job_that(const std::string& said, int status, int stopped_at_once = 0) {
  JobEnd end;
  end.output.pass(said);
  end.status = status;
  end.stopped_at_once = stopped_at_once;
  return end;
}
constexpr int exited(int code) {
  return code << 8;
}
JobVerdict verdict(const JobEnd& end, const std::string& hosts = "") {
  return verdict_on_job(end, hosts.empty() ? std::vector<Host>() : parse_hosts(hosts),
                        [](const std::string& name) { return name == "known"; });
}

TEST(Verdict, AJobThatHasSaidAllGetsNoWords) {
  for (const int code : {0, int{kStopped}}) {
    EXPECT_EQ(verdict(job_that("done\n", exited(code))).exit_code, code);
    EXPECT_EQ(verdict(job_that("done\n", exited(code))).words, "");
  }
  EXPECT_EQ(verdict(job_that(marked("error: x\n"), exited(4))).words, "");
  EXPECT_EQ(verdict(job_that(marked("error: x\n"), exited(4))).exit_code, 4);
}

TEST(Verdict, TheFirstErrorIsSaidAgainIfItIsNotTheLastWord) {
  EXPECT_EQ(verdict(job_that(marked("error: x\n") + marked("error: y\n"), exited(4))).words, "error: x\n");
}

TEST(Verdict, ARankThatWasKilledIsNamed) {
  const JobVerdict killed = verdict(job_that(kSignalBlock, exited(137)));
  EXPECT_EQ(killed.exit_code, 137);
  EXPECT_THAT(killed.words, HasSubstr("error: rank 1 on host h2 was ended by signal 9"));
  EXPECT_THAT(verdict(job_that("", exited(3))).words, HasSubstr("a rank left with exit code 3"));
}

TEST(Verdict, AHostThatIsUnknownOrHasNoProgramIsNamed) {
  const std::string no_daemon = kRule + "ORTE was unable to reliably start one or more daemons.\n" + kRule;
  EXPECT_EQ(verdict(job_that(no_daemon, exited(255)), "known,h9").exit_code, kNotStarted);
  EXPECT_THAT(verdict(job_that(no_daemon, exited(255)), "known,h9").words, HasSubstr("unknown host: h9;"));
  EXPECT_THAT(verdict(job_that(no_daemon, exited(255)), "known").words, HasSubstr("could not be reached"));
  const JobVerdict no_program = verdict(job_that(
      kRule + "it could not access\nor execute an executable:\n\nExecutable: /o/l\nNode: h2\n" + kRule, exited(132)));
  EXPECT_EQ(no_program.exit_code, kNotStarted);
  EXPECT_THAT(no_program.words, HasSubstr("host h2 has no program at /o/l"));
}

TEST(Verdict, AHostThatIsLostIsALostPeer) {
  const JobVerdict lost =
      verdict(job_that(kRule + "ORTE has lost communication with a remote daemon.\n" + kRule, exited(205)));
  EXPECT_EQ(lost.exit_code, kPeerLost);
  EXPECT_THAT(lost.words, HasSubstr("contact with a host was lost"));
}

TEST(Verdict, AHostThatIsLostIsNamedWithItsRanks) {
  const std::string said = kRule +
                           "ORTE has lost communication with a remote daemon.\n\n"
                           "  HNP daemon   : [[1,0],0] on node a\n  Remote daemon: [[1,0],1] on node b\n" +
                           kRule;
  EXPECT_THAT(verdict(job_that(said, exited(205)), "a:4,b:4").words,
              HasSubstr("contact with host b (ranks 4 to 7) was lost"));
  EXPECT_THAT(verdict(job_that(said, exited(205)), "a,b").words, HasSubstr("contact with host b (rank 1) was lost"));
  EXPECT_THAT(verdict(job_that(said, exited(205)), "a,b.lan").words, HasSubstr("contact with host b was lost"));
}

TEST(Verdict, AnMpirunThatHadToBeKilledHasTheCodeOfTheRankThatEndedTheJob) {
  JobEnd end = job_that(marked("error: rank 1 (host b) has gone\n") + aborting(kHang), SIGKILL);
  end.given_up = true;
  EXPECT_EQ(verdict(end).exit_code, kHang);
  EXPECT_EQ(verdict(end).words, "");
}

TEST(Verdict, WhoEndedTheJobDecidesTheCode) {
  EXPECT_EQ(verdict(job_that("", exited(1), SIGINT)).exit_code, 130);
  EXPECT_EQ(verdict(job_that("", exited(1), SIGTERM)).exit_code, 143);
  EXPECT_EQ(verdict(job_that("", SIGKILL)).exit_code, 137);
  EXPECT_THAT(verdict(job_that("", SIGKILL)).words, HasSubstr("mpirun was ended by signal 9"));
  EXPECT_EQ(verdict(job_that("", exited(0), SIGINT)).exit_code, 0) << "it was done before the signal came";
}

}  // namespace
}  // namespace lockstep
