#include "launcher/launch/launch_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "launcher/cli/printable_text.h"
#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/job/launch_marks.h"

namespace lockstep {

namespace {

bool asks_for_cpu(const std::vector<std::string>& command) {
  for (size_t i = 1; i < command.size(); ++i)
    if (command[i] == "--device=cpu" || (command[i - 1] == "--device" && command[i] == "cpu")) return true;
  return false;
}

int choose_ranks(const LaunchOptions& options, int gpus) {
  if (!options.hosts.empty()) {
    const int places = total_slots(options.hosts);
    if (options.ranks > places)
      throw UsageError(
          formatted("-n %d, but --hosts %s has places for %d ranks; name more hosts, or more ranks on them",
                    options.ranks, host_argument(options.hosts).c_str(), places));
    return options.ranks > 0 ? options.ranks : places;
  }
  if (gpus > 0 && options.ranks > gpus)
    throw SettingsError(
        formatted("-n %d, but this machine shows %s; start one rank per GPU, or add --device cpu to the command",
                  options.ranks, counted(gpus, "GPU").c_str()));
  if (options.ranks > 0) return options.ranks;
  return std::max(1, gpus);
}

std::string where(const LaunchOptions& options, const MachineFacts& facts, int gpus) {
  if (!options.hosts.empty()) return " on " + host_argument(options.hosts);
  return " on this machine (" + counted(facts.cores, "core") + ", " +
         (gpus > 0 ? counted(gpus, "GPU") : "no GPU in use") + ")";
}

std::string threads_of(const LaunchOptions& options, const MachineFacts& facts, int ranks) {
  const auto each = [](int threads) { return counted(threads, "thread") + " each"; };
  if (options.threads > 0) return each(options.threads);
  const auto set = facts.environment.find("OMP_NUM_THREADS");
  if (set != facts.environment.end())
    return "OMP_NUM_THREADS=" + set->second + " thread" + (set->second == "1" ? "" : "s") + " each";
  if (!options.hosts.empty()) return "the cores of each host shared out among its ranks";
  return each(std::max(1, facts.cores / ranks));
}

void place_ranks(const LaunchOptions& options, const MachineFacts& facts, LaunchPlan& plan) {
  plan.argv.insert(plan.argv.end(), {"-np", std::to_string(plan.ranks)});
  // mpirun would bind a rank to one core, or to a share of them that the rank which evaluates alone cannot leave.
  plan.argv.insert(plan.argv.end(), {"--bind-to", "none"});
  if (!options.hosts.empty()) {
    plan.argv.insert(plan.argv.end(), {"--host", host_argument(options.hosts)});
  } else if (plan.ranks > facts.physical_cores) {
    plan.argv.emplace_back("--oversubscribe");
    plan.notes.push_back(
        formatted("more ranks (%d) than physical cores (%d): --oversubscribe", plan.ranks, facts.physical_cores));
  }
}

/// In a Slurm or Grid Engine job, mpirun would count the job's tasks for places, often one for all GPUs of a node, and
/// give ranks to the job's other nodes.
void stay_on_this_machine(const MachineFacts& facts, LaunchPlan& plan) {
  const bool is_batch_job = facts.environment.contains("SLURM_JOB_ID") || facts.environment.contains("SLURM_JOBID") ||
                            facts.environment.contains("PE_HOSTFILE");
  if (is_batch_job && !facts.environment.contains("OMPI_MCA_ras")) plan.settings["OMPI_MCA_ras"] = "^slurm,gridengine";
}

void allow_root(const MachineFacts& facts, LaunchPlan& plan) {
  if (!facts.is_root) return;
  for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
    if (!facts.environment.contains(name)) plan.settings[name] = "1";
  if (plan.settings.contains("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"))
    plan.notes.emplace_back("running as root: OMPI_ALLOW_RUN_AS_ROOT and ..._CONFIRM are set");
}

/// mpirun asks a host from which nothing comes whether it is there: after a minute without an answer the host is lost.
/// That is later than ranks notice it by themselves, once they watch each other.
void keep_contact(const MachineFacts& facts, LaunchPlan& plan) {
  const std::pair<const char*, const char*> settings[] = {
      {"OMPI_MCA_oob_tcp_keepalive_time", "30"},
      {"OMPI_MCA_oob_tcp_keepalive_intvl", "10"},
      {"OMPI_MCA_oob_tcp_keepalive_probes", "3"},
  };
  for (const auto& [name, value] : settings)
    if (!facts.environment.contains(name)) plan.settings[name] = value;
}

/// What a rank on another host needs of this one's environment; a rank on this host inherits all of it.
bool travels(const std::string& name) {
  static const std::set<std::string> names = {"LD_LIBRARY_PATH", "OPAL_PREFIX"};
  static const char* const families[] = {"LOCKSTEP_", "NCCL_", "OMP_", "HF_"};
  return names.contains(name) ||
         std::any_of(std::begin(families), std::end(families), [&](const char* p) { return name.starts_with(p); });
}

void send_environment(const MachineFacts& facts, LaunchPlan& plan) {
  std::set<std::string> names;
  for (const Environment* environment : {&facts.environment, static_cast<const Environment*>(&plan.settings)})
    for (const auto& [name, value] : *environment)
      if (travels(name)) names.insert(name);
  for (const std::string& name : names)
    plan.argv.insert(plan.argv.end(), {"-x", name});
}

/// In bash's $'...', where every byte can be written: a word that would drive the terminal that it is shown on.
std::string quoted_visibly(const std::string& word) {
  std::string text;
  for (const char c : word) {
    const bool is_plain = c >= ' ' && c <= '~' && c != '\'' && c != '\\';
    text += is_plain ? std::string(1, c) : formatted("\\x%02x", static_cast<unsigned char>(c));
  }
  return "$'" + text + "'";
}

std::string quoted(const std::string& word) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  if (printable_text(word) != word) return quoted_visibly(word);
  std::string text = "'";
  for (const char c : word)
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

LaunchPlan make_launch_plan(const LaunchOptions& options, const MachineFacts& facts) {
  const int gpus = asks_for_cpu(options.command) ? 0 : facts.gpus;
  LaunchPlan plan;
  plan.ranks = choose_ranks(options, gpus);
  plan.notes.push_back("launching " + counted(plan.ranks, "rank") + where(options, facts, gpus) + ", " +
                       threads_of(options, facts, plan.ranks));
  plan.argv = {facts.mpirun};
  place_ranks(options, facts, plan);
  if (options.hosts.empty()) stay_on_this_machine(facts, plan);
  allow_root(facts, plan);
  plan.settings[kMarksVariable] = "1";
  if (options.threads > 0) plan.settings["OMP_NUM_THREADS"] = std::to_string(options.threads);
  if (!options.hosts.empty()) {
    keep_contact(facts, plan);
    send_environment(facts, plan);
  }
  plan.argv.push_back(facts.program);
  plan.argv.insert(plan.argv.end(), options.command.begin(), options.command.end());
  return plan;
}

std::string quoted_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += quoted(word);
  }
  return line;
}

std::string shell_line(const LaunchPlan& plan) {
  std::string line;
  // Without launch in between nobody takes the marks out of the output.
  for (const auto& [name, value] : plan.settings)
    if (name != kMarksVariable) line += name + "=" + quoted(value) + " ";
  for (size_t i = 0; i < plan.argv.size(); ++i) {
    const bool marks = plan.argv[i] == "-x" && plan.argv.at(i + 1) == kMarksVariable;
    if (marks) ++i;
    if (!marks) line += quoted(plan.argv[i]) + " ";
  }
  return line.substr(0, line.size() - 1);
}

}  // namespace lockstep
