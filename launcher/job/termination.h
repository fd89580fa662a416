#pragma once

namespace lockstep {

/// From now on SIGTERM ends this process as soon as no UninterruptedWork goes on, and a second one at once.
void take_termination();

/// Short work of one thread that a first SIGTERM lets end. None begins afterwards.
class UninterruptedWork {
 public:
  UninterruptedWork();
  ~UninterruptedWork();
  UninterruptedWork(const UninterruptedWork&) = delete;
  UninterruptedWork& operator=(const UninterruptedWork&) = delete;
};

}  // namespace lockstep
