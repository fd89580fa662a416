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
#include "launcher/cli/light_command.h"
#include "launcher/exit_codes.h"
#include "launcher/launch/launch_command.h"

namespace lockstep {

namespace {

/// A rank ends when its mpirun (on other hosts its daemon) does, also if that was killed. Kept over exec.
void end_with_mpirun() {
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return;
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) raise(SIGKILL);  // it died in between
}

/// A request to stop that comes too early waits until take_stop_requests(). A blocked signal stays so over exec.
void hold_stop_requests() {
  sigset_t request;
  sigemptyset(&request);
  sigaddset(&request, SIGUSR1);
  sigprocmask(SIG_BLOCK, &request, nullptr);
}

/// Null for the commands that need another program.
LightCommand light_command_of(const std::string& name) {
  if (name == "launch") return launch_command;
  if (name == "list") return list_command;
  return name == "verify" ? verify_command : nullptr;
}

int become(const char* part, char** argv) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string() + part;
  execv(program.c_str(), argv);
  std::fprintf(stderr, "error: cannot start %s, which belongs beside this program: %s\n", program.c_str(),
               std::strerror(errno));
  return kFailure;
}

int run(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  const CommandFacts* command = find_command(name);
  if (const LightCommand light = light_command_of(name)) return run_light(*command, light, {argv + 2, argv + argc});
  if (name == "export" || name == "plan") return become("-export", argv);
  end_with_mpirun();
  if (command != nullptr && command->takes_ranks) hold_stop_requests();
  return become("-core", argv);
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  return lockstep::run(argc, argv);
}
