// The packed bundle: unpacked at another place than it was built, in a root folder with hardly anything else, and on
// this machine with an environment that would lead it astray.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/program.h"
#include "tests/support/require.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::Outcome;
using tests::quoted;
using tests::run;

const std::string kScripts = tests::environment("LOCKSTEP_SOURCE") + "/tests/bundle/";

void unpack(const std::string& folder) {
  fs::create_directories(folder);
  const Outcome unpacked = run("tar -xzf " + quoted(LOCKSTEP_BUNDLE_ARCHIVE) + " -C " + quoted(folder));
  ASSERT_EQ(unpacked.exit_code, 0) << unpacked.output;
}

class Bundle : public testing::Test {
 protected:
  void SetUp() override { unpack(folder_ / "opt"); }

  std::string bundle() const { return folder_ / "opt/" LOCKSTEP_BUNDLE_NAME; }

  /// In an environment of nothing but `variables`.
  Outcome with(const std::string& variables, const std::string& command) const {
    return run("env -i HOME=/tmp PATH=/usr/bin:/bin " + variables + " " + bundle() + "/bin/" + command);
  }

  /// A torch package's folder that says it is `version` and holds empty `libraries`.
  std::string torch_folder(const std::string& version, const std::vector<std::string>& libraries) const {
    std::string folder = folder_ / "site/torch";
    fs::create_directories(folder + "/lib");
    std::ofstream(folder + "/version.py") << "__version__ = '" << version << "'\n";
    for (const std::string& library : libraries)
      std::ofstream(folder + "/lib/" + library);
    return folder;
  }

  static void expect_refusal(const Outcome& outcome, const std::vector<std::string>& words) {
    EXPECT_EQ(outcome.exit_code, kContract) << outcome.output;
    for (const std::string& word : words)
      EXPECT_THAT(outcome.output, HasSubstr(word));
  }

  tests::TemporaryFolder folder_;
};

TEST_F(Bundle, FindsTorchOfTheActiveEnvironmentWithoutImportingIt) {
  const fs::path python = tests::environment("LOCKSTEP_PYTHON");
  const Outcome outcome = with("VIRTUAL_ENV=" + python.parent_path().parent_path().string(), "lockstep --version");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("LibTorch 2.11"), HasSubstr("Open MPI")));
}

TEST_F(Bundle, SaysHowToInstallTorchWhereThereIsNone) {
  std::ofstream(folder_ / "python3") << "#!/bin/sh\necho\n";  // a Python whose find_spec finds nothing
  fs::permissions(folder_ / "python3", fs::perms::owner_all);
  const std::string path = "PATH=" + folder_.path().string() + ":/usr/bin:/bin";
  for (const char* command : {"lockstep --version", "mpirun -np 1 true"})
    expect_refusal(with(path, command), {"LibTorch 2.11 was not found", "/python3 has no torch",
                                         "python3 -m pip install torch==2.11.0", "LOCKSTEP_TORCH"});
}

TEST_F(Bundle, NamesAMissingPython) {
  expect_refusal(with("VIRTUAL_ENV=/nowhere", "lockstep --version"), {"there is no /nowhere/bin/python3"});
}

TEST_F(Bundle, NamesTheVersionOfAnotherTorch) {
  const std::string torch = torch_folder("2.10.0+cu130", {});
  expect_refusal(with("LOCKSTEP_TORCH=" + torch, "lockstep --version"),
                 {"needs torch 2.11", "found 2.10.0+cu130 in " + torch, "pip install torch==2.11.0"});
}

TEST_F(Bundle, NamesAFolderThatIsNotTorch) {
  expect_refusal(with("LOCKSTEP_TORCH=/tmp", "lockstep --version"), {"LOCKSTEP_TORCH=/tmp holds no torch"});
}

TEST_F(Bundle, NamesALibraryThatThisTorchLacks) {
  const std::string torch = torch_folder("2.11.0+cpu", {"libtorch_cpu.so", "libc10.so"});
  expect_refusal(with("LOCKSTEP_TORCH=" + torch, "lockstep --version"), {"torch 2.11.0+cpu", "has no libgomp.so.1"});
}

TEST_F(Bundle, RefusesToBeStartedByAnotherMpirun) {
  expect_refusal(with("OMPI_COMM_WORLD_SIZE=2 LOCKSTEP_TORCH=" LOCKSTEP_TORCH_FOLDER, "lockstep --version"),
                 {"started by another mpirun", bundle() + "/bin/mpirun"});
}

constexpr char kTorchAndThreads[] = "LOCKSTEP_TORCH=" LOCKSTEP_TORCH_FOLDER " OMP_NUM_THREADS=1 ";

/// Two steps of training on two ranks.
class BundleTrains : public Bundle {
 protected:
  Outcome train(const std::string& variables, const std::string& mpirun_options) const {
    return with(kTorchAndThreads + variables, "mpirun --allow-run-as-root --oversubscribe --bind-to none -np 2 " +
                                                  mpirun_options + " " + bundle() + "/bin/lockstep " + command());
  }

  Outcome launch(const std::string& variables, const std::string& launch_options) const {
    return with(kTorchAndThreads + variables, "lockstep launch -n 2 " + launch_options + " -- " + command());
  }

  std::string command() const {
    return "train --device cpu --model_name_or_path " + world_.model_folder() + " --dataset " +
           world_.dataset_folder() + " --output_dir " + (folder_ / "run") +
           " --global_batch_size 8 --max_steps 2 --max_seq_length 48";
  }

  /// In ssh's place: the host is this machine again, and no variable is passed on.
  std::string agent_to_a_bare_shell() const {
    std::string agent = folder_ / "agent";
    std::ofstream(agent) << "#!/bin/sh\nshift\nexec env -i PATH=/usr/bin:/bin OMPI_MCA_pml=ucx sh -c \"$*\"\n";
    fs::permissions(agent, fs::perms::owner_all);
    return agent;
  }

  tests::TinyWorld world_;
};

/// What an environment module of another MPI leaves in a shell: settings, and libraries of the same names.
TEST_F(BundleTrains, WhereAnotherMpiIsSetUp) {
  const std::string other = folder_ / "other";
  fs::create_directories(other);
  for (const char* library : {"libmpi.so.40", "libopen-rte.so.40", "libopen-pal.so.40", "libhdf5_serial.so.103"})
    std::ofstream(other + "/" + library) << "not a library";
  const Outcome outcome =
      train("OMPI_MCA_pml=ucx OPAL_PREFIX=/nowhere OPAL_LIBDIR=/nowhere LD_LIBRARY_PATH=" + other, "");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("Ranks = 2"), HasSubstr("trained 2 steps")));
}

TEST_F(BundleTrains, WithARankOnAHostWhoseShellKnowsNothing) {
  const Outcome outcome = train("", "--mca plm_rsh_agent " + agent_to_a_bare_shell() +
                                        " --mca oob_tcp_if_include lo --mca btl_tcp_if_include lo"
                                        " --host localhost:1,elsewhere:1");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("Ranks = 2"), HasSubstr("trained 2 steps")));
}

TEST_F(BundleTrains, ByLaunchOnThisHostAndOnAnother) {
  const std::string variables = "OMPI_MCA_plm_rsh_agent=" + agent_to_a_bare_shell() +
                                " OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_btl_tcp_if_include=lo";
  for (const char* options : {"", "--hosts localhost:1,elsewhere:1"}) {
    const Outcome outcome = launch(variables, options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("Ranks = 2"), HasSubstr("trained 2 steps")));
    fs::remove_all(folder_ / "run");
  }
}

/// A root folder with the bundle, a model and texts.
class BundleInAMinimalRoot : public testing::Test {
 protected:
  void SetUp() override {
    const Outcome made = run(kScripts + "minimal_root.sh " + quoted(root_.path().string()));
    ASSERT_EQ(made.exit_code, 0) << made.output;
    const Outcome entered = enter("ls /site/torch/lib");
    LOCKSTEP_NEEDS("chroot", entered.exit_code != 77, "a root folder of one's own: " + entered.output);
    ASSERT_EQ(entered.exit_code, 0) << entered.output;
    unpack(root_ / "opt");
    fs::copy(world_.model_folder(), root_ / "model", fs::copy_options::recursive);
    fs::copy(tests::environment("LOCKSTEP_SOURCE") + "/tests/fixtures/smoke/aclImdb", root_ / "texts",
             fs::copy_options::recursive);
  }

  Outcome enter(const std::string& command) const {
    const std::string site = fs::path(LOCKSTEP_TORCH_FOLDER).parent_path().string();
    return run(kScripts + "enter_root.sh " + quoted(root_.path().string()) + " " + quoted(site) + " " +
               quoted("export LOCKSTEP_TORCH=/site/torch PATH=/opt/" LOCKSTEP_BUNDLE_NAME
                      "/bin:/bin OMP_NUM_THREADS=1; " +
                      command));
  }

  tests::TemporaryFolder root_;
  tests::TinyWorld world_;
};

TEST_F(BundleInAMinimalRoot, PreparesTrainsAndPredicts) {
  const Outcome version = enter("lockstep --version");
  ASSERT_EQ(version.exit_code, 0) << version.output;
  EXPECT_THAT(version.output, AllOf(HasSubstr("LibTorch 2.11"), HasSubstr("HDF5")));

  const Outcome prepared = enter("lockstep prepare --imdb /texts --model /model --output /data --max_length 48");
  ASSERT_EQ(prepared.exit_code, 0) << prepared.output;

  const Outcome trained = enter(
      "lockstep launch -n 2 -- train --device cpu "
      "--model_name_or_path /model --dataset /data --output_dir /run --global_batch_size 8 --max_steps 4 "
      "--max_seq_length 48 --learning_rate 1e-3");
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  EXPECT_THAT(trained.output, AllOf(HasSubstr("Ranks = 2"), HasSubstr("trained 4 steps")));

  const std::string predict = " --format jsonl 'a good film' 'a bad film'";
  const Outcome inside = enter("lockstep predict --model_name_or_path /run" + predict);
  ASSERT_EQ(inside.exit_code, 0) << inside.output;
  EXPECT_EQ(inside.output, tests::lockstep("predict --model_name_or_path " + (root_ / "run") + predict).output);
}

TEST_F(BundleInAMinimalRoot, MpirunFindsItsTexts) {
  const Outcome outcome = enter("mpirun --allow-run-as-root -np 1 no_such_program");
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("unable to find the specified executable file"), Not(HasSubstr("Sorry"))));
}

}  // namespace
}  // namespace lockstep
