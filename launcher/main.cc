// lockstep: the program that users start. Small, so that it is running a few milliseconds after it was started, before
// the half second in which LibTorch is loaded: from then on no signal is lost and no rank outlives its mpirun. It
// launches jobs and looks at checkpoints itself, and becomes lockstep-export or lockstep-core for everything else.
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "launcher/checkpoint_commands.h"
#include "launcher/cli/command_list.h"
#include "launcher/cli/run_command.h"
#include "launcher/cli/standard_streams.h"
#include "launcher/errors.h"
#include "launcher/launch/launch_command.h"

namespace lockstep {

namespace {

using Arguments = std::vector<std::string>;

/// A rank ends when its mpirun (on other hosts its daemon) does, also if that was killed. Kept over exec.
void end_with_mpirun() {
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return;
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) raise(SIGKILL);  // it died in between
}

/// A request to stop that comes too early waits until somebody takes it. A blocked signal stays so over exec.
void hold_stop_requests() {
  sigset_t request;
  sigemptyset(&request);
  sigaddset(&request, SIGUSR1);
  sigprocmask(SIG_BLOCK, &request, nullptr);
}

[[noreturn]] void become(const std::string& part, Arguments arguments) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string() + part;
  std::vector<char*> words = {const_cast<char*>(program.c_str())};
  for (std::string& argument : arguments)
    words.push_back(argument.data());
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
  throw ProgramError(kFailure,
                     "cannot start " + program + ", which belongs beside this program: " + std::strerror(errno));
}

[[noreturn]] void become_core(const Arguments& arguments, bool takes_ranks) {
  end_with_mpirun();
  if (takes_ranks) hold_stop_requests();
  become("-core", arguments);
}

int run_itself(const std::string& name, const Arguments& arguments) {
  if (name == "launch") {
    hold_stop_requests();  // until its ranks are there
    return launch_command(arguments);
  }
  return name == "list" ? list_command(arguments) : verify_command(arguments);
}

/// `lockstep help NAME` is `lockstep NAME --help`; without a command's name, the overview is meant.
Arguments in_order(Arguments arguments) {
  const std::string name = arguments.empty() ? "--help" : arguments.front();
  if (name == "--version" || name == "-V") return {"--version"};
  if (name != "help" && name != "--help" && name != "-h") return arguments;
  if (arguments.size() > 1 && find_command(arguments[1]) != nullptr) return {arguments[1], "--help"};
  return {"--help"};
}

int run(const Arguments& given) {
  const Arguments arguments = in_order(given);
  const std::string& name = arguments.front();
  if (name == "--version") become_core(arguments, false);
  if (name == "--help") {
    std::fputs(overview().c_str(), stdout);
    return given.empty() ? kUsage : kDone;
  }
  const CommandFacts* command = find_command(name);
  if (command == nullptr) refuse_name(name);
  if (command->program == Program::kCore) become_core(arguments, command->takes_ranks);
  refuse_ranks(*command);
  if (command->program == Program::kExport) become("-export", arguments);
  return run_itself(name, {arguments.begin() + 1, arguments.end()});
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  lockstep::occupy_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file at the limit of its size fails the write, which is told; kept over exec
  return lockstep::run_light(lockstep::run, {argv + 1, argv + argc});
}
