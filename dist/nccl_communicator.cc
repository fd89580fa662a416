#include <functional>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

#include "dist/backoff.h"
#include "dist/communicator.h"
#include "dist/error.h"
#include "dist/exit_deadline.h"
#include "dist/nccl_library.h"

namespace lockstep::dist {
namespace {

using Status = NcclLibrary::Status;
using Handle = std::unique_ptr<void, std::function<void(void*)>>;

/// Events around one collective. `produced` is on the compute stream, the others are on the communication stream.
struct Marks {
  Handle produced;
  Handle begin;
  Handle end;
};

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::shared_ptr<NcclLibrary> library, ControlPlane& control, const NcclOptions& options,
                   double end_seconds);
  ~NcclCommunicator() override {
    if (comm_ != nullptr && started_ == 0 && !failed_) {
      end();
    } else {
      NcclCommunicator::abort(kAbortExitCode, kAbortDeadlineSeconds);
    }
  }
  int rank() const override { return control_.rank(); }
  int world_size() const override { return control_.world_size(); }

  std::string description() const override { return "NCCL " + library_->version() + " (device memory)"; }
  bool takes_device_memory() const override { return true; }

  void start_all_reduce_sum(std::span<float> values) override {
    start(values.data(), values.size(), NcclLibrary::Number::kFloat);
  }
  void start_all_reduce_sum(std::span<BFloat16> values) override {
    start(values.data(), values.size(), NcclLibrary::Number::kBFloat16);
  }

  ReductionTimes wait() override;

  // Nothing is pending here, so that the host's barrier is the device's.
  void barrier() override {
    require_usable();
    if (started_ > 0) throw std::logic_error("barrier while reductions are pending; wait() first");
    control_.idle_barrier();
  }

  void abort(int exit_code, double deadline_seconds) noexcept override {
    if (comm_ == nullptr) return;
    const ExitDeadline deadline(exit_code, deadline_seconds);
    library_->abort(std::exchange(comm_, nullptr));
  }

 private:
  struct Unjoined {};
  NcclCommunicator(Unjoined, std::shared_ptr<NcclLibrary> library, ControlPlane& control, const NcclOptions& options,
                   double end_seconds)
      : library_(std::move(library)), control_(control), options_(options), end_seconds_(end_seconds) {}

  void join();
  void end() noexcept;
  void start(void* values, size_t count, NcclLibrary::Number type);
  const Marks& next_marks();
  Handle new_event();
  double seconds_between(const Handle& from, const Handle& to);

  [[noreturn]] void fail(const std::string& call, const std::string& reason);
  void require(const Status& status, const char* call);
  void require_usable() const;
  /// Polls until it is done, fails, or NCCL reports an error of its own threads or peers.
  void poll(const char* call, const std::function<Status()>& status);

  std::shared_ptr<NcclLibrary> library_;
  ControlPlane& control_;
  NcclOptions options_;
  double end_seconds_;
  bool failed_ = false;
  void* comm_ = nullptr;
  Handle stream_;
  std::vector<Marks> marks_;  // reused in every step
  size_t started_ = 0;        // of marks_, since the last wait()
};

// Delegates, so that the destructor gives the NCCL communicator up if joining the others fails.
NcclCommunicator::NcclCommunicator(std::shared_ptr<NcclLibrary> library, ControlPlane& control,
                                   const NcclOptions& options, double end_seconds)
    : NcclCommunicator(Unjoined{}, std::move(library), control, options, end_seconds) {
  require(library_->set_device(options_.device), "cudaSetDevice");
  void* stream = nullptr;
  require(library_->create_stream(&stream), "cudaStreamCreateWithFlags");
  stream_ = Handle(stream, [nccl = library_](void* handle) { nccl->destroy_stream(handle); });
  join();
}

void NcclCommunicator::join() {
  std::string id(NcclLibrary::kUniqueIdBytes, '\0');
  if (rank() == 0) require(library_->unique_id(id.data()), "ncclGetUniqueId");
  id = control_.broadcast(std::move(id), 0);
  const Status status = library_->join(&comm_, world_size(), id.data(), rank());
  require(status, "ncclCommInitRankConfig");
  poll("ncclCommInitRankConfig", [&] { return library_->async_error(comm_); });
}

// An end that hangs touches nobody's values: it may stay behind, with the handles that it may still look at, until the
// process ends with the exit code of its run.
void NcclCommunicator::end() noexcept {
  std::promise<void> promise;
  const std::future<void> ended = promise.get_future();
  std::thread ending([library = library_, device = options_.device, comm = std::exchange(comm_, nullptr),
                      promise = std::move(promise)]() mutable {
    library->set_device(device);
    library->abort(comm);
    promise.set_value();
  });
  if (ended.wait_for(std::chrono::duration<double>(end_seconds_)) == std::future_status::ready) return ending.join();
  ending.detach();
  for (Marks& marks : marks_)
    for (Handle* const event : {&marks.produced, &marks.begin, &marks.end})
      static_cast<void>(event->release());
  static_cast<void>(stream_.release());
}

void NcclCommunicator::start(void* values, size_t count, NcclLibrary::Number type) {
  constexpr const char* kCall = "ncclAllReduce";
  require_usable();
  const Marks& marks = next_marks();
  require(library_->record(marks.produced.get(), options_.compute_stream), "cudaEventRecord");
  require(library_->stream_wait(stream_.get(), marks.produced.get()), "cudaStreamWaitEvent");
  require(library_->record(marks.begin.get(), stream_.get()), "cudaEventRecord");
  require(library_->all_reduce_sum(values, count, type, comm_, stream_.get()), kCall);
  // Only then is it on the stream, and the event behind it.
  poll(kCall, [&] { return library_->async_error(comm_); });
  require(library_->record(marks.end.get(), stream_.get()), "cudaEventRecord");
}

// The host waits as well, rather than the compute stream alone: it looks for errors meanwhile, which would otherwise be
// a hang inside the next CUDA call that waits. What it queues afterwards needs no event to come after the reductions.
ReductionTimes NcclCommunicator::wait() {
  require_usable();
  if (started_ == 0) return {};
  const Marks& last = marks_[started_ - 1];
  poll("the reductions of this step", [&] { return library_->query(last.end.get()); });

  ReductionTimes times;
  const Clock::time_point now = Clock::now();
  const auto time_of = [&](const Handle& event) {
    return now -
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds_between(event, last.end)));
  };
  for (size_t i = 0; i < started_; ++i)
    times.reductions.push_back({time_of(marks_[i].begin), time_of(marks_[i].end)});
  times.exposed = std::chrono::duration<double>(seconds_between(last.produced, last.end));
  started_ = 0;
  return times;
}

const Marks& NcclCommunicator::next_marks() {
  if (started_ == marks_.size()) marks_.push_back({new_event(), new_event(), new_event()});
  return marks_[started_++];
}

Handle NcclCommunicator::new_event() {
  void* event = nullptr;
  require(library_->create_event(&event), "cudaEventCreate");
  return {event, [nccl = library_](void* handle) { nccl->destroy_event(handle); }};
}

double NcclCommunicator::seconds_between(const Handle& from, const Handle& to) {
  float ms = 0;
  require(library_->elapsed_ms(&ms, from.get(), to.get()), "cudaEventElapsedTime");
  return static_cast<double>(ms) / 1000;
}

void NcclCommunicator::poll(const char* call, const std::function<Status()>& status) {
  constexpr double kMaxSleepMs = 0.1;
  for (Backoff backoff(kMaxSleepMs);; backoff.pause()) {
    const Status now = status();
    require(now, call);
    // Also when it is done: a collective that NCCL gave up on ends without its sums.
    require(library_->async_error(comm_), call);
    if (now.kind == Status::kDone) return;
  }
}

void NcclCommunicator::fail(const std::string& call, const std::string& reason) {
  failed_ = true;
  throw CommunicationError(call + " failed on rank " + std::to_string(rank()) + ": " + reason);
}

void NcclCommunicator::require(const Status& status, const char* call) {
  if (status.kind == Status::kFailed) fail(call, status.message);
}

void NcclCommunicator::require_usable() const {
  if (comm_ == nullptr) throw CommunicationError("the communicator was aborted");
}

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator_over(std::shared_ptr<NcclLibrary> library, ControlPlane& control,
                                                          const NcclOptions& options, double end_seconds) {
  return std::make_unique<NcclCommunicator>(std::move(library), control, options, end_seconds);
}

}  // namespace lockstep::dist
