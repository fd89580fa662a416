#include "launcher/launch/mpirun_process.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace lockstep {

namespace {

void require(bool fine, const char* what) {
  if (!fine) throw std::system_error(errno, std::generic_category(), what);
}

/// Ends of the way of mpirun's standard error: [0] is read here, [1] is mpirun's.
std::array<int, 2> open_channel(bool as_terminal) {
  std::array<int, 2> ends{-1, -1};
  if (as_terminal) {
    termios raw{};
    cfmakeraw(&raw);  // the real terminal does what is to be done with line ends
    require(openpty(&ends[0], &ends[1], nullptr, &raw, nullptr) == 0, "a pseudo-terminal for mpirun");
  } else {
    require(pipe(ends.data()) == 0, "a pipe for mpirun");
  }
  for (const int end : ends)
    fcntl(end, F_SETFD, FD_CLOEXEC);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return ends;
}

/// In the child: does not return.
[[noreturn]] void become_mpirun(std::vector<char*>& argv, int error, pid_t parent) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(EXIT_FAILURE);  // it died before that
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  // On a terminal both ways are one, so that a table does not overtake the end of the bar above it.
  if (isatty(error) == 1 && isatty(STDOUT_FILENO) == 1) dup2(error, STDOUT_FILENO);
  dup2(error, STDERR_FILENO);
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace

MpirunProcess::MpirunProcess(const LaunchPlan& plan) : is_terminal_(isatty(STDERR_FILENO) == 1) {
  const auto [ours, theirs] = open_channel(is_terminal_);
  error_ = ours;
  take_terminal_size();
  for (const auto& [name, value] : plan.settings)
    setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : plan.argv)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t self = getpid();
  pid_ = fork();
  if (pid_ == 0) become_mpirun(argv, theirs, self);
  close(theirs);
  require(pid_ > 0, "a process for mpirun");
}

MpirunProcess::~MpirunProcess() {
  if (pid_ > 0 && !ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(error_);
}

std::string MpirunProcess::read_error() {
  std::array<char, 16384> buffer;
  ssize_t count = 0;
  do {
    count = read(error_, buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  error_is_closed_ = count == 0 || (count < 0 && errno == EIO);  // EIO: so a pseudo-terminal says it
  return count > 0 ? std::string(buffer.data(), static_cast<size_t>(count)) : "";
}

void MpirunProcess::signal(int number) {
  if (!ended_) kill(pid_, number);
}

bool MpirunProcess::handles(int number) const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("SigCgt:")) return (std::strtoull(line.c_str() + 7, nullptr, 16) >> (number - 1) & 1) != 0;
  return false;
}

bool MpirunProcess::has_ended() {
  if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return ended_;
}

void MpirunProcess::take_terminal_size() const {
  winsize size{};
  if (is_terminal_ && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) ioctl(error_, TIOCSWINSZ, &size);
}

}  // namespace lockstep
