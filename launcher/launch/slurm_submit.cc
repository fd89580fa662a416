#include "launcher/launch/slurm_submit.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/launch/launch_plan.h"
#include "launcher/launch/machine_facts.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

int ranks_per_node(const LaunchOptions& options) {
  const int nodes = options.slurm->nodes;
  if (options.ranks % nodes != 0)
    throw UsageError(
        formatted("-n %d on --nodes %d: each node gets as many ranks as the others", options.ranks, nodes));
  return std::max(1, options.ranks / nodes);
}

void ask_for_gpus(const LaunchOptions& options, std::vector<std::string>& line) {
  const SlurmJob& job = *options.slurm;
  if (options.ranks > 0 && options.ranks != job.nodes * job.gpus)
    throw UsageError(formatted("-n %d, but each of %d GPUs on %d nodes gets a rank; leave -n out", options.ranks,
                               job.gpus, job.nodes));
  line.push_back("--gpus-per-node=" + std::to_string(job.gpus));
  if (options.threads > 0) line.push_back("--cpus-per-gpu=" + std::to_string(options.threads));
}

void ask_for_cores(const LaunchOptions& options, std::vector<std::string>& line) {
  line.push_back("--ntasks-per-node=" + std::to_string(ranks_per_node(options)));
  if (options.threads > 0) line.push_back("--cpus-per-task=" + std::to_string(options.threads));
}

/// The exit code, or 127 if it cannot be run.
int run_to_its_end(const std::vector<std::string>& line) {
  std::vector<char*> argv;
  for (const std::string& word : line)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  int status = 0;
  if (posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return 127;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void submit(const std::vector<std::string>& line) {
  const int code = run_to_its_end(line);
  if (code == 127)
    throw NotStartedError(
        "sbatch was not found in PATH: --slurm submits from a machine that belongs to a Slurm cluster, such as its "
        "login node");
  if (code != 0) throw NotStartedError("sbatch did not take the job (exit code " + std::to_string(code) + ")");
}

}  // namespace

std::string find_batch_script(const std::string& program) {
  for (fs::path folder = fs::path(program).parent_path(); folder != folder.root_path(); folder = folder.parent_path())
    for (const char* place : {"slurm/train.sbatch", "share/lockstep/slurm/train.sbatch"})
      if (fs::exists(folder / place)) return (folder / place).string();
  throw NotStartedError("slurm/train.sbatch was found in no folder above " + program +
                        "; it belongs to the source tree and to the bundle");
}

std::vector<std::string> sbatch_line(const LaunchOptions& options, const std::string& script) {
  const SlurmJob& job = *options.slurm;
  std::vector<std::string> line = {"sbatch", "--nodes=" + std::to_string(job.nodes)};
  if (job.gpus > 0)
    ask_for_gpus(options, line);
  else
    ask_for_cores(options, line);
  if (!job.time.empty()) line.push_back("--time=" + job.time);
  line.push_back(script);
  line.insert(line.end(), options.command.begin(), options.command.end());
  return line;
}

int launch_slurm_job(const LaunchOptions& options) {
  if (options.slurm->gpus > 0 && !kIsBuiltForGpus)
    std::fputs(
        "warning: --gpus: this program is built for CPUs, and its ranks will compute on those of the GPU nodes; "
        "configure with -DLOCKSTEP_CUDA=ON, or take the -cuda bundle\n",
        stderr);
  const std::string program = own_program();
  const std::vector<std::string> line = sbatch_line(options, find_batch_script(program));
  setenv("LOCKSTEP", program.c_str(), 1);  // the job has this environment
  if (options.dry_run)
    std::printf("%s %s\n", quoted_line({"LOCKSTEP=" + program}).c_str(), quoted_line(line).c_str());
  else
    submit(line);
  return kDone;
}

}  // namespace lockstep
