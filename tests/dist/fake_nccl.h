#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dist/communicator.h"
#include "dist/nccl_library.h"

namespace lockstep::dist {

/// NCCL and CUDA streams on host memory, for one thread of each rank, as unkind as the real ones may be:
/// - Work is queued and runs only when somebody waits: one piece per query() of an event, or all in synchronize().
/// - A collective gets onto its stream only after a few polls of async_error().
/// - Its output is poison (NaN) until somebody has waited for an event recorded behind it.
/// - Ranks must issue the same collectives; otherwise async_error() reports it.
/// What a program must never do is noted in `misuse`.
class FakeNccl final : public NcclLibrary {
 public:
  FakeNccl();  // collective

  /// The program's own work.
  void* new_compute_stream();
  void queue(void* stream, std::function<void()> work);
  /// Runs what `stream` holds and what it waits for, and nothing else.
  void run_all(void* stream);
  /// As on a GPU, what other streams hold runs meanwhile.
  void synchronize(void* stream);

  std::vector<std::string> misuse;
  std::string async_failure;           // what async_error() reports from now on
  std::function<void()> during_abort;  // runs in abort()
  int live_handles() const { return live_handles_; }
  bool is_aborted() const { return is_aborted_; }

  /// Nothing is queued, and no output waits for a reader.
  bool is_idle() const;

  std::string version() const override { return "0"; }
  Status set_device(int device) override;
  Status create_stream(void** stream) override;
  void destroy_stream(void* stream) override;
  Status create_event(void** event) override;
  void destroy_event(void* event) override;
  Status record(void* event, void* stream) override;
  Status stream_wait(void* stream, void* event) override;
  Status query(void* event) override;
  Status elapsed_ms(float* ms, void* from, void* to) override;
  Status unique_id(char* id) override;
  Status join(void** comm, int world_size, const char* id, int rank) override;
  Status all_reduce_sum(void* values, size_t count, Number type, void* comm, void* stream) override;
  Status async_error(void* comm) override;
  Status abort(void* comm) override;

 private:
  struct Output {
    size_t position;  // of its collective in the stream
    std::span<std::byte> memory;
    std::vector<std::byte> bytes;
  };
  struct Stream {
    std::deque<std::function<void()>> work;
    size_t executed = 0;
    std::vector<Output> withheld;
    size_t queued() const { return executed + work.size(); }
  };
  struct Event {
    Stream* stream = nullptr;
    size_t position = 0;  // reached once the stream has executed so many
    Clock::time_point reached;
  };

  template <typename T>
  void reduce(Stream& stream, std::span<T> values);
  bool ranks_agree(Number type, size_t count);
  void run_one(Stream& stream);
  void run_until(Stream& stream, size_t position);
  void withhold(Stream& stream, std::span<std::byte> memory);
  void deliver(Stream& stream, size_t position);

  std::unique_ptr<ControlPlane> control_;
  std::unique_ptr<Communicator> transport_;
  std::list<Stream> streams_;
  std::set<void*> compute_streams_;
  std::string id_;
  bool is_aborted_ = false;
  int live_handles_ = 0;
  std::function<void()> enqueue_;  // a collective on its way to its stream
  int polls_to_go_ = 0;
};

}  // namespace lockstep::dist
