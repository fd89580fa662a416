#include "tests/dist/fake_nccl.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lockstep::dist {
namespace {

constexpr int kPollsToEnqueue = 3;

}  // namespace

FakeNccl::FakeNccl() : control_(make_control_plane()), transport_(make_mpi_communicator()) {}

void* FakeNccl::new_compute_stream() {
  void* stream = &streams_.emplace_back();
  compute_streams_.insert(stream);
  return stream;
}

void FakeNccl::queue(void* stream, std::function<void()> work) {
  static_cast<Stream*>(stream)->work.push_back(std::move(work));
}

void FakeNccl::synchronize(void* stream) {
  for (Stream& other : streams_)
    if (&other != stream) run_all(&other);
  run_all(stream);
}

void FakeNccl::run_all(void* stream) {
  Stream& all = *static_cast<Stream*>(stream);
  run_until(all, all.queued());
}

bool FakeNccl::is_idle() const {
  return std::all_of(streams_.begin(), streams_.end(),
                     [](const Stream& stream) { return stream.work.empty() && stream.withheld.empty(); });
}

NcclLibrary::Status FakeNccl::set_device(int device) {
  if (device == 0) return {};
  return {Status::kFailed, "invalid device ordinal"};
}

NcclLibrary::Status FakeNccl::create_stream(void** stream) {
  *stream = &streams_.emplace_back();
  ++live_handles_;
  return {};
}

void FakeNccl::destroy_stream(void* stream) {
  streams_.remove_if([stream](const Stream& candidate) { return &candidate == stream; });
  --live_handles_;
}

NcclLibrary::Status FakeNccl::create_event(void** event) {
  *event = new Event;
  ++live_handles_;
  return {};
}

void FakeNccl::destroy_event(void* event) {
  delete static_cast<Event*>(event);
  --live_handles_;
}

NcclLibrary::Status FakeNccl::record(void* event, void* stream) {
  auto& recorded = *static_cast<Event*>(event);
  recorded.stream = static_cast<Stream*>(stream);
  queue(stream, [&recorded] { recorded.reached = Clock::now(); });
  recorded.position = recorded.stream->queued();
  return {};
}

NcclLibrary::Status FakeNccl::stream_wait(void* stream, void* event) {
  const Event awaited = *static_cast<Event*>(event);
  if (awaited.stream == nullptr) misuse.emplace_back("a stream waits for an event that was never recorded");
  queue(stream, [this, awaited] {
    run_until(*awaited.stream, awaited.position);
    deliver(*awaited.stream, awaited.position);
  });
  return {};
}

NcclLibrary::Status FakeNccl::query(void* event) {
  const Event& asked = *static_cast<Event*>(event);
  if (asked.stream == nullptr) misuse.emplace_back("query of an event that was never recorded");
  if (asked.stream->executed < asked.position) run_one(*asked.stream);
  if (asked.stream->executed < asked.position) return {Status::kInProgress, {}};
  deliver(*asked.stream, asked.position);
  return {};
}

NcclLibrary::Status FakeNccl::elapsed_ms(float* ms, void* from, void* to) {
  for (const void* event : {from, to}) {
    const Event& mark = *static_cast<const Event*>(event);
    if (mark.stream == nullptr || mark.stream->executed < mark.position)
      return {Status::kFailed, "an event was not reached"};
  }
  *ms = std::chrono::duration<float, std::milli>(static_cast<Event*>(to)->reached - static_cast<Event*>(from)->reached)
            .count();
  return {};
}

NcclLibrary::Status FakeNccl::unique_id(char* id) {
  if (control_->rank() != 0) misuse.emplace_back("a unique id from a rank that nobody asks");
  id_ = std::string(kUniqueIdBytes - 1, 'u') + '\0';
  std::memcpy(id, id_.data(), kUniqueIdBytes);
  return {};
}

NcclLibrary::Status FakeNccl::join(void** comm, int world_size, const char* id, int rank) {
  const std::string expected = control_->broadcast(id_, 0);
  if (world_size != control_->world_size() || rank != control_->rank() ||
      std::memcmp(id, expected.data(), kUniqueIdBytes) != 0)
    return {Status::kFailed, "a world of other ranks"};
  *comm = this;
  polls_to_go_ = kPollsToEnqueue;
  enqueue_ = [] {};
  return {Status::kInProgress, {}};
}

NcclLibrary::Status FakeNccl::all_reduce_sum(void* values, size_t count, Number type, void* comm, void* stream) {
  if (comm != this || is_aborted_) misuse.emplace_back("ncclAllReduce on a communicator that is gone");
  if (enqueue_) misuse.emplace_back("ncclAllReduce while another call is in progress");
  if (compute_streams_.contains(stream)) misuse.emplace_back("ncclAllReduce holds up the compute stream");
  auto* on = static_cast<Stream*>(stream);
  enqueue_ = [this, on, values, count, type] {
    on->work.push_back([this, on, values, count, type] {
      if (is_aborted_ || !async_failure.empty() || !ranks_agree(type, count)) return;
      if (type == Number::kFloat) reduce(*on, std::span(static_cast<float*>(values), count));
      if (type == Number::kBFloat16) reduce(*on, std::span(static_cast<BFloat16*>(values), count));
    });
  };
  polls_to_go_ = kPollsToEnqueue;
  return {Status::kInProgress, {}};
}

template <typename T>
void FakeNccl::reduce(Stream& stream, std::span<T> values) {
  transport_->start_all_reduce_sum(values);
  transport_->wait();
  withhold(stream, std::as_writable_bytes(values));
}

NcclLibrary::Status FakeNccl::async_error(void* comm) {
  if (comm != this || is_aborted_) misuse.emplace_back("ncclCommGetAsyncError on a communicator that is gone");
  if (!async_failure.empty()) return {Status::kFailed, async_failure};
  if (!enqueue_) return {};
  if (--polls_to_go_ > 0) return {Status::kInProgress, {}};
  std::exchange(enqueue_, nullptr)();
  return {};
}

NcclLibrary::Status FakeNccl::abort(void* comm) {
  if (comm != this || is_aborted_) misuse.emplace_back("ncclCommAbort on a communicator that is gone");
  is_aborted_ = true;
  if (during_abort) during_abort();
  return {};
}

bool FakeNccl::ranks_agree(Number type, size_t count) {
  std::vector<int64_t> slots(2 * control_->world_size(), 0);
  slots[2 * control_->rank()] = static_cast<int64_t>(type);
  slots[2 * control_->rank() + 1] = static_cast<int64_t>(count);
  slots = control_->sum(std::move(slots));
  for (size_t i = 2; i < slots.size(); ++i)
    if (slots[i] != slots[i - 2]) async_failure = "ranks issued different collectives";
  return async_failure.empty();
}

void FakeNccl::run_one(Stream& stream) {
  const auto work = std::move(stream.work.front());
  stream.work.pop_front();
  work();
  ++stream.executed;
}

void FakeNccl::run_until(Stream& stream, size_t position) {
  while (stream.executed < position)
    run_one(stream);
}

void FakeNccl::withhold(Stream& stream, std::span<std::byte> memory) {
  stream.withheld.push_back({stream.executed + 1, memory, {memory.begin(), memory.end()}});
  std::fill(memory.begin(), memory.end(), std::byte{0xff});
}

void FakeNccl::deliver(Stream& stream, size_t position) {
  std::erase_if(stream.withheld, [position](const Output& output) {
    if (output.position > position) return false;
    std::copy(output.bytes.begin(), output.bytes.end(), output.memory.begin());
    return true;
  });
}

}  // namespace lockstep::dist
