#include "launcher/launch/launch_options.h"

#include <algorithm>

#include "launcher/cli/command_line.h"
#include "launcher/cli/command_list.h"
#include "launcher/cli/option_values.h"
#include "launcher/errors.h"

namespace lockstep {

namespace {

const char* const kLaunchFooter = R"(
Examples:
  lockstep launch -- train --config configs/quickstart.toml \
      --model_name_or_path MODEL --dataset DATASET
      one rank per GPU of this machine; without GPUs one with all cores
  lockstep launch -n 4 -- train ...
      four ranks, which share out the cores
  lockstep launch --hosts a:4,b:4 -- train ...
      eight ranks on two hosts; program, model and data set lie at the same
      paths on both, and ssh asks for no password
  lockstep launch --slurm --nodes 2 --gpus 4 --threads 8 --time 12:00:00 \
      -- train --output_dir RUN --save_strategy steps ...
      the same as a Slurm job, which stops in time and is queued again by
      itself; partition and account by SBATCH_PARTITION and SBATCH_ACCOUNT
  lockstep launch -n 2 --dry_run -- train ...
      the mpirun command line, to be changed and run by hand

Ctrl-C stops the job after the step that it is in: the model is saved, and the
exit code is 75. A second Ctrl-C stops it at once. If one rank dies, or mpirun,
or launch itself, however suddenly, all others end.

mpirun is the one that LOCKSTEP_MPIRUN names, or lies beside the program, or is
found in PATH.

Exit codes: that of the job (lockstep train --help); 2 usage; 3 more ranks than
GPUs; 11 the job could not be started: no mpirun, an unknown host, a host
without the program, no sbatch, or sbatch refused it; 75 stopped on request;
130 stopped at once by Ctrl-C.)";

std::string commands_with_ranks() {
  std::string names;
  for (const CommandFacts& command : kCommandList)
    if (command.takes_ranks) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return names;
}

void check_command(const std::vector<std::string>& command) {
  const std::string example = "lockstep launch -n 2 -- train --help";
  if (command.empty())
    throw UsageError("nothing to launch: after the options come -- and a command, such as: " + example);
  const CommandFacts* facts = find_command(command.front());
  if (facts == nullptr)
    throw UsageError("no such command: " + command.front() + "; launch starts " + commands_with_ranks());
  if (!facts->takes_ranks)
    throw UsageError(std::string("lockstep ") + facts->name + " is one process; run it without launch, which starts " +
                     commands_with_ranks());
}

}  // namespace

LaunchOptions parse_launch_options(const std::vector<std::string>& arguments) {
  LaunchOptions o;
  std::string hosts;
  auto app = make_app("lockstep launch", "Starts the ranks of a job, here or on several hosts.", kLaunchFooter,
                      "-- train [ITS OPTIONS]");
  app->add_option("-n", o.ranks, "Ranks; without it one per GPU, on CPUs one, with --hosts as many as they have places")
      ->default_str("")
      ->type_name("N")
      ->check(whole_number(1, 65536));
  app->add_option("--hosts", hosts, "Hosts, each with its number of ranks: a:4,b:4. One rank if there is none")
      ->type_name("LIST");
  app->add_option("--threads", o.threads,
                  "Threads per rank; without it the ranks of a host share out its cores, with --slurm those that Slurm "
                  "gives them (often one)")
      ->default_str("")
      ->type_name("T")
      ->check(whole_number(1, 4096));
  bool by_slurm = false;
  SlurmJob job;
  CLI::Option* slurm = app->add_flag("--slurm", by_slurm, "Submit a Slurm job that starts the ranks on its nodes");
  slurm->excludes("--hosts");
  app->add_option("--nodes", job.nodes, "With --slurm: nodes")
      ->type_name("N")
      ->check(whole_number(1, 65536))
      ->needs(slurm);
  app->add_option("--gpus", job.gpus, "With --slurm: GPUs of each node, with a rank each; without it -n ranks on CPUs")
      ->default_str("")
      ->type_name("N")
      ->check(whole_number(1, 1024))
      ->needs(slurm);
  app->add_option("--time", job.time, "With --slurm: time limit, such as 12:00:00")
      ->check(filled("a time limit"))
      ->type_name("T")
      ->needs(slurm);
  app->add_flag("--dry_run", o.dry_run, "Print the mpirun (with --slurm: sbatch) command line, start nothing");
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  for (auto argument = arguments.begin(); argument != dashes; ++argument)
    if (dashes == arguments.end() && find_command(*argument) != nullptr)
      throw UsageError("-- is missing before " + *argument + "; launch's options end there: lockstep launch -n 2 -- " +
                       *argument + " ...");
  if (std::find(arguments.begin(), dashes, "-np") != dashes) throw UsageError("unknown option -np: here -n");
  parse_command_line(*app, {arguments.begin(), dashes});
  if (app->count("--hosts") > 0) o.hosts = parse_hosts(hosts);
  if (by_slurm) o.slurm = job;
  if (dashes != arguments.end()) o.command.assign(dashes + 1, arguments.end());
  check_command(o.command);
  return o;
}

}  // namespace lockstep
