#pragma once

#include <mpi.h>

#include <functional>
#include <memory>
#include <vector>

#include "dist/activity.h"
#include "dist/private_comm.h"

namespace lockstep::dist {

/// What a rank tells the others about itself, a few times a second.
struct Beat {
  enum Kind {
    kAlive,
    kLeaving,   // at the orderly end, waiting for the others to come there
    kGoodbye,   // the last message: all are there
    kEndingJob  // this rank ends the job, since one has hung
  };
  Kind kind = kAlive;
  double idle_seconds = 0;
  Label host;
  Activity activity;
};

/// Beats between all pairs of ranks, on a communicator of their own. Nothing here waits; one thread calls. At most one
/// beat is on its way from one rank to another, whatever state that one is in: what it would miss is outdated anyway.
class BeatExchange {
 public:
  BeatExchange();  // collective
  /// What is on its way is abandoned; see say_goodbye().
  ~BeatExchange();
  BeatExchange(const BeatExchange&) = delete;
  BeatExchange& operator=(const BeatExchange&) = delete;

  int rank() const { return comm_.rank(); }
  int world_size() const { return comm_.world_size(); }
  /// To all who have taken the one before. A rank gets one goodbye, and nothing after it.
  void send(const Beat& beat);
  /// Calls `take(rank, beat)` for all that have come.
  void receive(const std::function<void(int, const Beat&)>& take);
  /// All goodbyes were sent and received: MPI has nothing of ours left.
  bool is_over();

 private:
  struct Peer;

  PrivateComm comm_;
  std::vector<std::unique_ptr<Peer>> peers_;  // all ranks but this one
};

}  // namespace lockstep::dist
