#pragma once

#include <sys/types.h>

#include <string>

#include "launcher/launch/launch_plan.h"

namespace lockstep {

/// mpirun as a child: a session and process group of its own, so that the terminal's Ctrl-C reaches launch alone; it
/// gets SIGTERM if launch dies. Standard input is empty, standard output is ours, standard error comes through
/// read_error(): from a pseudo-terminal of the same size if ours is a terminal, so that ranks draw their bar as ever
/// (and then standard output too, if it is a terminal).
class MpirunProcess {
 public:
  /// Throws std::system_error.
  explicit MpirunProcess(const LaunchPlan& plan);
  /// Kills it if it is still there.
  ~MpirunProcess();
  MpirunProcess(const MpirunProcess&) = delete;
  MpirunProcess& operator=(const MpirunProcess&) = delete;

  int error_descriptor() const { return error_; }
  /// What is there now, without waiting; "" if nothing is.
  std::string read_error();
  /// True once everybody who could write there has gone.
  bool error_is_closed() const { return error_is_closed_; }
  void signal(int number);
  /// Whether mpirun has a handler for this signal yet: one that comes earlier would end it.
  bool handles(int number) const;
  /// True if it has ended; from then on its wait status is known.
  bool has_ended();
  int status() const { return status_; }
  /// Makes the pseudo-terminal as large as ours is now.
  void take_terminal_size() const;

 private:
  pid_t pid_ = -1;
  int error_ = -1;
  bool is_terminal_ = false;
  bool error_is_closed_ = false;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace lockstep
