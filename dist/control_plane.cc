#include <mpi.h>

#include "dist/backoff.h"
#include "dist/check.h"
#include "dist/chunks.h"
#include "dist/communicator.h"
#include "dist/private_comm.h"

namespace lockstep::dist {
namespace {

constexpr double kDefaultSleepMs = 2;

/// Waits without taking a core.
void wait_idle(MPI_Request& request, double max_sleep_ms = kDefaultSleepMs) {
  for (Backoff backoff(max_sleep_ms);; backoff.pause()) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done) return;
  }
}

class MpiControlPlane final : public ControlPlane {
 public:
  int rank() const override { return comm_.rank(); }
  int world_size() const override { return comm_.world_size(); }

  std::vector<int64_t> sum(std::vector<int64_t> values) override { return sum_as(std::move(values), MPI_INT64_T); }
  std::vector<double> sum(std::vector<double> values) override { return sum_as(std::move(values), MPI_DOUBLE); }
  std::string broadcast(std::string text, int root) override;
  void broadcast(std::span<std::byte> bytes, int root) override;
  std::vector<std::string> gather(const std::string& text) override;
  void idle_barrier(double sleep_ms) override;

 private:
  static constexpr int kTag = 0;

  template <typename T>
  std::vector<T> sum_as(std::vector<T> values, MPI_Datatype type);
  template <typename T>
  void broadcast_from(std::span<T> values, MPI_Datatype type, int root);
  template <typename T>
  void send(std::span<const T> values, MPI_Datatype type, int to);
  template <typename T>
  void receive(std::span<T> values, MPI_Datatype type, int from);

  PrivateComm comm_;
};

template <typename T>
std::vector<T> MpiControlPlane::sum_as(std::vector<T> values, MPI_Datatype type) {
  for (const auto chunk : chunks_of(std::span(values))) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallreduce(MPI_IN_PLACE, chunk.data(), static_cast<int>(chunk.size()), type, MPI_SUM, comm_.get(),
                         &request),
          "MPI_Iallreduce");
    wait_idle(request);
  }
  return values;
}

template <typename T>
void MpiControlPlane::broadcast_from(std::span<T> values, MPI_Datatype type, int root) {
  for (const auto chunk : chunks_of(values)) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ibcast(chunk.data(), static_cast<int>(chunk.size()), type, root, comm_.get(), &request), "MPI_Ibcast");
    wait_idle(request);
  }
}

template <typename T>
void MpiControlPlane::send(std::span<const T> values, MPI_Datatype type, int to) {
  for (const auto chunk : chunks_of(values)) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Isend(chunk.data(), static_cast<int>(chunk.size()), type, to, kTag, comm_.get(), &request), "MPI_Isend");
    wait_idle(request);
  }
}

template <typename T>
void MpiControlPlane::receive(std::span<T> values, MPI_Datatype type, int from) {
  for (const auto chunk : chunks_of(values)) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Irecv(chunk.data(), static_cast<int>(chunk.size()), type, from, kTag, comm_.get(), &request),
          "MPI_Irecv");
    wait_idle(request);
  }
}

std::string MpiControlPlane::broadcast(std::string text, int root) {
  auto size = static_cast<uint64_t>(text.size());
  broadcast_from(std::span(&size, 1), MPI_UINT64_T, root);
  text.resize(size);
  broadcast_from(std::span(text), MPI_CHAR, root);
  return text;
}

void MpiControlPlane::broadcast(std::span<std::byte> bytes, int root) {
  for (const auto chunk : chunks_of(bytes))
    check(MPI_Bcast(chunk.data(), static_cast<int>(chunk.size()), MPI_BYTE, root, comm_.get()), "MPI_Bcast");
}

// Point to point rather than MPI_Gatherv, whose displacements are ints: the texts together may pass 2 GiB.
std::vector<std::string> MpiControlPlane::gather(const std::string& text) {
  if (rank() != 0) {
    const auto size = static_cast<uint64_t>(text.size());
    send(std::span(&size, 1), MPI_UINT64_T, 0);
    send(std::span(text), MPI_CHAR, 0);
    return {};
  }
  std::vector<std::string> texts(world_size());
  texts[0] = text;
  for (int from = 1; from < world_size(); ++from) {
    uint64_t size = 0;
    receive(std::span(&size, 1), MPI_UINT64_T, from);
    texts[from].resize(size);
    receive(std::span(texts[from]), MPI_CHAR, from);
  }
  return texts;
}

void MpiControlPlane::idle_barrier(double sleep_ms) {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibarrier(comm_.get(), &request), "MPI_Ibarrier");
  wait_idle(request, sleep_ms);
}

}  // namespace

std::unique_ptr<ControlPlane> make_control_plane() {
  return std::make_unique<MpiControlPlane>();
}

}  // namespace lockstep::dist
