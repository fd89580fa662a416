#include "dist/link_speed.h"

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "dist/check.h"
#include "dist/private_comm.h"

namespace lockstep::dist {
namespace {

constexpr int kFirstBytes = 64 << 10;
constexpr int kMostBytes = 16 << 20;
constexpr double kEnoughSeconds = 0.1;
constexpr int kRoundTrips = 3;

/// One rank's side of the measurements, on messages that meet no others.
class Probe {
 public:
  explicit Probe(const std::function<void()>& progress) : progress_(progress) {}

  int rank() const { return comm_.rank(); }
  LinkSpeed measure_to(int other) {
    LinkSpeed link{rank(), other, 0, std::numeric_limits<double>::infinity()};
    for (int trip = 0; trip <= kRoundTrips; ++trip)  // the first one may have to connect
      link.round_trip_seconds = std::min(link.round_trip_seconds, seconds_of(0, other));
    for (int bytes = kFirstBytes; bytes <= kMostBytes; bytes *= 2) {
      const double seconds = seconds_of(bytes, other);
      link.bytes_per_second = bytes / seconds;
      if (seconds > kEnoughSeconds) break;
    }
    tell(-1, other);
    return link;
  }
  void answer(int other) {
    for (int bytes = asked_by(other); bytes >= 0; bytes = asked_by(other)) {
      receive(bytes, other);
      send(0, other);
    }
  }

 private:
  double seconds_of(int bytes, int other) {
    tell(bytes, other);
    const Clock::time_point begin = Clock::now();
    send(bytes, other);
    receive(0, other);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
  void send(int bytes, int to) {
    check(MPI_Send(room_for(bytes), bytes, MPI_BYTE, to, 0, comm_.get()), "MPI_Send");
    progress_();
  }
  void receive(int bytes, int from) {
    check(MPI_Recv(room_for(bytes), bytes, MPI_BYTE, from, 0, comm_.get(), MPI_STATUS_IGNORE), "MPI_Recv");
    progress_();
  }
  void tell(int bytes, int to) { check(MPI_Send(&bytes, 1, MPI_INT, to, 1, comm_.get()), "MPI_Send"); }
  int asked_by(int from) {
    int bytes = 0;
    check(MPI_Recv(&bytes, 1, MPI_INT, from, 1, comm_.get(), MPI_STATUS_IGNORE), "MPI_Recv");
    return bytes;
  }
  std::byte* room_for(int bytes) {
    if (std::ssize(room_) < bytes) room_.resize(static_cast<size_t>(bytes));
    return room_.data();
  }

  PrivateComm comm_;
  const std::function<void()>& progress_;
  std::vector<std::byte> room_;
};

/// Each two neighbours once, also if there are only two.
std::vector<std::pair<int, int>> neighbours_in(const std::vector<int>& ranks) {
  std::vector<std::pair<int, int>> pairs;
  const size_t count = ranks.size() > 2 ? ranks.size() : ranks.size() / 2;
  for (size_t i = 0; i < count; ++i)
    pairs.emplace_back(ranks[i], ranks[(i + 1) % ranks.size()]);
  return pairs;
}

}  // namespace

// A rank leads its second link after it has followed in its first, so that one is measured after the other. The results
// of those who have none are zero, and so are their addends.
std::vector<LinkSpeed> measure_links(ControlPlane& control, const std::vector<int>& ranks,
                                     const std::function<void()>& progress) {
  Probe probe(progress);
  std::vector<LinkSpeed> links;
  std::vector<double> sums;
  for (const auto& [a, b] : neighbours_in(ranks))
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      LinkSpeed link{from, to};
      if (probe.rank() == from) link = probe.measure_to(to);
      if (probe.rank() == to) probe.answer(from);
      links.push_back(link);
      sums.insert(sums.end(), {link.bytes_per_second, link.round_trip_seconds});
    }
  sums = control.sum(std::move(sums));
  for (size_t i = 0; i < links.size(); ++i) {
    links[i].bytes_per_second = sums[2 * i];
    links[i].round_trip_seconds = sums[2 * i + 1];
  }
  return links;
}

}  // namespace lockstep::dist
