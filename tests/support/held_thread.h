#pragma once

#include <fcntl.h>

#include <optional>
#include <string>

#include "tests/support/background.h"

namespace lockstep::tests {

/// A thread that waits at a failpoint with "hold".
struct HeldThread {
  pid_t process;
  pid_t thread;

  std::string folder() const { return "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread); }
  bool is_held() const { return name_at(folder()) == "held\n"; }
  bool is_there() const { return std::filesystem::exists(folder()); }

  static std::string name_at(const std::string& folder) {
    std::string name;
    std::getline(std::ifstream(folder + "/comm"), name, '\0');
    return name;
  }
  /// The one of `process` that is held now.
  static std::optional<HeldThread> of(pid_t process) {
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
      const HeldThread thread{process, std::atoi(entry.path().filename().c_str())};
      if (thread.is_held()) return thread;
    }
    return std::nullopt;
  }
};

/// The file for which threads are held. It is there only while let_pass() runs.
class Gate {
 public:
  explicit Gate(std::string path) : path_(std::move(path)) {}
  std::string variable() const { return "LOCKSTEP_FAILPOINT_GATE=" + path_; }
  void let_pass(const HeldThread& thread) const {
    std::ofstream(path_) << "";
    becomes_true([&] { return !thread.is_held(); }, kPatience);
    std::filesystem::remove(path_);
  }

 private:
  std::string path_;
};

}  // namespace lockstep::tests
