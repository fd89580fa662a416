#include "launcher/launch/launch_command.h"

#include <netdb.h>

#include <csignal>
#include <cstdio>

#include "launcher/cli/printable_text.h"
#include "launcher/exit_codes.h"
#include "launcher/launch/launch_options.h"
#include "launcher/launch/launch_plan.h"
#include "launcher/launch/machine_facts.h"
#include "launcher/launch/slurm_submit.h"
#include "launcher/launch/supervisor.h"
#include "launcher/launch/verdict.h"

namespace lockstep {

namespace {

bool has_address(const std::string& host) {
  addrinfo* found = nullptr;
  const bool known = getaddrinfo(host.c_str(), nullptr, nullptr, &found) == 0;
  if (known) freeaddrinfo(found);
  return known;
}

}  // namespace

int launch_command(const std::vector<std::string>& arguments) {
  std::signal(SIGCHLD, SIG_DFL);  // whoever ignores it hears of no child's end
  const LaunchOptions options = parse_launch_options(arguments);
  if (options.slurm) return launch_slurm_job(options);
  const LaunchPlan plan = make_launch_plan(options, look_at_machine());
  std::signal(SIGPIPE, SIG_IGN);  // who reads our output may leave: that ends no training
  for (const std::string& note : plan.notes)
    std::fprintf(stderr, "%s\n", printable_lines(note).c_str());
  if (options.dry_run) {
    std::printf("%s\n", shell_line(plan).c_str());
    return kDone;
  }
  const JobVerdict verdict = verdict_on_job(supervise(plan), options.hosts, has_address);
  std::fputs(printable_lines(verdict.words).c_str(), stderr);
  return verdict.exit_code;
}

}  // namespace lockstep
