#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/process.h"

namespace lockstep::tests {

/// Polls until `fact` holds. False if it does not within `seconds`.
inline bool becomes_true(const std::function<bool()>& fact, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!fact()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// Longer than anything should take on a busy machine; ends what hangs.
inline constexpr double kPatience = 120;

/// A process that was seen in /proc.
struct SeenProcess {
  pid_t pid;
  std::string command;  // its arguments, each followed by a blank

  SeenProcess(pid_t number, std::string arguments) : pid(number), command(std::move(arguments)) {}
  bool is_mpirun() const { return command.starts_with("mpirun "); }
  bool is_rank() const { return !is_mpirun() && command.find(" launch ") == std::string::npos; }
  /// Its line of that name in /proc/PID/status, such as "SigBlk".
  std::string status(const std::string& name) const {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    return "";
  }
  bool blocks(int signal) const { return has("SigBlk", signal); }
  bool handles(int signal) const { return has("SigCgt", signal); }

 private:
  bool has(const std::string& set, int signal) const {
    return (std::strtoull(status(set).c_str(), nullptr, 16) >> (signal - 1) & 1) != 0;
  }
};

/// Without those that are between fork and exec, and look like their parents.
inline std::vector<SeenProcess> without_children(std::vector<SeenProcess> processes) {
  std::map<pid_t, std::string> commands;
  for (const SeenProcess& process : processes)
    commands[process.pid] = process.command;
  std::erase_if(processes, [&](const SeenProcess& process) {
    const auto parent = commands.find(std::atoi(process.status("PPid").c_str()));
    return parent != commands.end() && parent->second == process.command;
  });
  return processes;
}

/// A process' arguments, each followed by a blank; "" if it ended meanwhile, which reading then tells by an exception.
inline std::string command_in(const std::filesystem::path& process) {
  try {
    std::string command = read_file(process / "cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    return command;
  } catch (const std::ios_base::failure&) {
    return "";
  }
}

/// Every process, dead ones left out, with `word` among its arguments, by age.
inline std::vector<SeenProcess> processes_with(const std::string& word) {
  std::vector<SeenProcess> seen;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid == 0) continue;
    const std::string command = command_in(entry.path());
    if (command.find(word) != std::string::npos) seen.emplace_back(pid, command);
  }
  std::sort(seen.begin(), seen.end(), [](const SeenProcess& a, const SeenProcess& b) { return a.pid < b.pid; });
  return seen;
}

/// A program that runs beside the test, its output in a file. Ended with the object.
class Background {
 public:
  Background(const std::vector<std::string>& arguments, std::filesystem::path output) : output_(std::move(output)) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    const int file = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  ~Background() {
    if (ended_) return;
    kill(pid_, SIGTERM);
    if (!becomes_true([this] { return has_ended(); }, kPatience)) kill(pid_, SIGKILL);
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }
  std::string output() const { return read_file(output_); }
  bool has_ended() {
    if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
  }
  /// Waits for the end: the exit code, or 128 + the signal.
  int exit_code() {
    if (!becomes_true([this] { return has_ended(); }, kPatience)) return -1;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  std::filesystem::path output_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace lockstep::tests
