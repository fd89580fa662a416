#include "launcher/launch/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <system_error>

#include "launcher/launch/mpirun_process.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

/// mpirun itself gives its ranks a second or two between TERM and KILL.
constexpr auto kPatienceAfterTerm = std::chrono::seconds(10);
/// A rank that ends the job by force leaves after 5 s itself, and the others that are alive not later than 10 s after
/// it.
constexpr auto kPatienceAfterAbort = std::chrono::seconds(8);
constexpr auto kPatienceForLastWords = std::chrono::seconds(2);
constexpr auto kTick = std::chrono::milliseconds(100);

/// As nohup has it. A signal that is blocked comes all the same.
bool is_ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// Signals as something that can be read.
int open_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGWINCH})
    sigaddset(&signals, number);
  if (!is_ignored(SIGHUP)) sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  return descriptor;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

/// Over a progress bar, if one is drawn.
void print_line(const std::string& line) {
  print((isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "") + line + "\n");
}

class Supervisor {
 public:
  explicit Supervisor(const LaunchPlan& plan) : signals_(open_signals()), mpirun_(plan) {}
  ~Supervisor() { close(signals_); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  JobEnd run() {
    while (!mpirun_.has_ended()) {
      const bool clock_matters = wants_stop_ || kill_at_;
      wait_for_something(clock_matters ? kTick : std::chrono::milliseconds(-1));
      pass_all_output();
      handle_signals();
      deliver();
    }
    // On other hosts somebody may still have something to say, which must not come after launch's own words.
    for (const auto end = Clock::now() + kPatienceForLastWords; Clock::now() < end;) {
      pass_all_output();
      if (mpirun_.error_is_closed()) break;
      pollfd output{mpirun_.error_descriptor(), POLLIN, 0};
      poll(&output, 1, static_cast<int>(kTick.count()));
    }
    print(end_.output.rest());
    if (end_.stopped_at_once != 0 && isatty(STDERR_FILENO) == 1) print("\r\033[K");  // a bar, half drawn
    end_.status = mpirun_.status();
    return end_;
  }

 private:
  void wait_for_something(std::chrono::milliseconds time) {
    pollfd descriptors[] = {{signals_, POLLIN, 0}, {mpirun_.error_descriptor(), POLLIN, 0}};
    // One that is closed would be ready for ever.
    poll(descriptors, mpirun_.error_is_closed() ? 1 : 2, static_cast<int>(time.count()));
  }

  void pass_all_output() {
    while (pass_output()) {
    }
  }

  bool pass_output() {
    const std::string bytes = mpirun_.read_error();
    print(end_.output.pass(bytes));
    return !bytes.empty();
  }

  void handle_signals() {
    for (signalfd_siginfo info; read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info);) {
      const int number = static_cast<int>(info.ssi_signo);
      if (number == SIGWINCH) mpirun_.take_terminal_size();
      if (number == SIGUSR1 || (number == SIGINT && !stop_was_asked_for_ && end_.stopped_at_once == 0))
        ask_to_stop();
      else if (number == SIGINT || number == SIGTERM || number == SIGHUP)
        stop_now(number);
    }
  }

  void ask_to_stop() {
    if (stop_was_asked_for_ || end_.stopped_at_once != 0) return;
    print_line("stopping after this step; Ctrl-C again to stop now");
    stop_was_asked_for_ = wants_stop_ = true;
  }

  void stop_now(int number) {
    wants_stop_ = false;
    if (end_.stopped_at_once != 0) {
      kill_at_ = Clock::now();
      return;
    }
    print_line("stopping now");
    end_.stopped_at_once = number;
    mpirun_.signal(SIGTERM);
    kill_at_ = Clock::now() + kPatienceAfterTerm;
  }

  /// What was asked for and could not be done at once.
  void deliver() {
    // Before that, the signal would end mpirun, or miss ranks that are still starting.
    if (wants_stop_ && end_.output.ranks_are_ready() && mpirun_.handles(SIGUSR1)) {
      mpirun_.signal(SIGUSR1);
      wants_stop_ = false;
    }
    if (end_.output.abort_code() && !kill_at_) kill_at_ = Clock::now() + kPatienceAfterAbort;
    if (!kill_at_ || Clock::now() < *kill_at_) return;
    end_.given_up = end_.stopped_at_once == 0;
    mpirun_.signal(SIGKILL);
  }

  int signals_;
  MpirunProcess mpirun_;
  JobEnd end_;
  bool stop_was_asked_for_ = false;
  bool wants_stop_ = false;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace

JobEnd supervise(const LaunchPlan& plan) {
  return Supervisor(plan).run();
}

}  // namespace lockstep
