#include "dist/beat_exchange.h"

#include <algorithm>
#include <type_traits>

#include "dist/check.h"

namespace lockstep::dist {
namespace {

constexpr int kTag = 0;
static_assert(std::is_trivially_copyable_v<Beat>, "beats travel as bytes");

bool is_done(MPI_Request& request) {
  int done = 0;
  check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
  return done != 0;
}

}  // namespace

struct BeatExchange::Peer {
  Peer(int its_rank, MPI_Comm its_comm) : rank(its_rank), comm(its_comm) { expect(); }

  void expect() { check(MPI_Irecv(&incoming, sizeof incoming, MPI_BYTE, rank, kTag, comm, &receiving), "MPI_Irecv"); }

  // Synchronous mode: done means that it was taken. Otherwise beats would pile up at a rank that is stopped.
  void send(const Beat& beat) {
    if (said_goodbye || !is_done(sending)) return;
    outgoing = beat;
    said_goodbye = beat.kind == Beat::kGoodbye;
    check(MPI_Issend(&outgoing, sizeof outgoing, MPI_BYTE, rank, kTag, comm, &sending), "MPI_Issend");
  }

  bool is_over() { return said_goodbye && heard_goodbye && is_done(sending); }

  const int rank;
  const MPI_Comm comm;
  Beat incoming, outgoing;
  MPI_Request receiving = MPI_REQUEST_NULL, sending = MPI_REQUEST_NULL;
  bool said_goodbye = false, heard_goodbye = false;
};

BeatExchange::BeatExchange() {
  for (int other = 0; other < world_size(); ++other)
    if (other != rank()) peers_.push_back(std::make_unique<Peer>(other, comm_.get()));
}

BeatExchange::~BeatExchange() {
  for (auto& peer : peers_) {
    const bool is_pending = peer->receiving != MPI_REQUEST_NULL || peer->sending != MPI_REQUEST_NULL;
    // On the way out of a failed job, where MPI may still read and write there until the process is gone.
    if (is_pending) static_cast<void>(peer.release());
  }
}

void BeatExchange::send(const Beat& beat) {
  for (auto& peer : peers_)
    peer->send(beat);
}

void BeatExchange::receive(const std::function<void(int, const Beat&)>& take) {
  for (auto& peer : peers_) {
    while (!peer->heard_goodbye && is_done(peer->receiving)) {
      peer->heard_goodbye = peer->incoming.kind == Beat::kGoodbye;
      const Beat beat = peer->incoming;
      if (!peer->heard_goodbye) peer->expect();
      take(peer->rank, beat);
    }
  }
}

bool BeatExchange::is_over() {
  return std::all_of(peers_.begin(), peers_.end(), [](auto& peer) { return peer->is_over(); });
}

}  // namespace lockstep::dist
