#include "dist/noted.h"

#include <string>
#include <utility>

namespace lockstep::dist {
namespace {

class NotedControlPlane final : public ControlPlane {
 public:
  NotedControlPlane(std::unique_ptr<ControlPlane> inner, ActivityLog& log) : inner_(std::move(inner)), log_(log) {}
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }

  std::vector<int64_t> sum(std::vector<int64_t> values) override {
    const ActivityLog::Wait wait(log_, "sum of integers");
    return inner_->sum(std::move(values));
  }
  std::vector<double> sum(std::vector<double> values) override {
    const ActivityLog::Wait wait(log_, "sum of numbers");
    return inner_->sum(std::move(values));
  }
  std::string broadcast(std::string text, int root) override {
    const ActivityLog::Wait wait(log_, "broadcast of text from rank " + std::to_string(root));
    return inner_->broadcast(std::move(text), root);
  }
  void broadcast(std::span<std::byte> bytes, int root) override {
    const ActivityLog::Wait wait(log_, "broadcast of bytes from rank " + std::to_string(root));
    inner_->broadcast(bytes, root);
  }
  std::vector<std::string> gather(const std::string& text) override {
    const ActivityLog::Wait wait(log_, "gathering of texts at rank 0");
    return inner_->gather(text);
  }
  void idle_barrier(double sleep_ms) override {
    const ActivityLog::Wait wait(log_, "barrier");
    inner_->idle_barrier(sleep_ms);
  }

 private:
  std::unique_ptr<ControlPlane> inner_;
  ActivityLog& log_;
};

class NotedCommunicator final : public Communicator {
 public:
  NotedCommunicator(std::unique_ptr<Communicator> inner, ActivityLog& log) : inner_(std::move(inner)), log_(log) {}
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }
  std::string description() const override { return inner_->description(); }
  bool takes_device_memory() const override { return inner_->takes_device_memory(); }

  void start_all_reduce_sum(std::span<float> values) override { start(values); }
  void start_all_reduce_sum(std::span<BFloat16> values) override { start(values); }
  ReductionTimes wait() override {
    const ActivityLog::Wait wait(log_, first_pending_);
    ReductionTimes times = inner_->wait();
    pending_ = 0;
    return times;
  }
  void barrier() override {
    const ActivityLog::Wait wait(log_, "barrier of gradients");
    inner_->barrier();
  }

  void abort(int exit_code, double deadline_seconds) noexcept override { inner_->abort(exit_code, deadline_seconds); }

 private:
  // The Reducer starts one per bucket, in plan order. Where others are needed to start it, as with NCCL's first one,
  // this is a wait as well.
  template <typename T>
  void start(std::span<T> values) {
    const ActivityLog::Wait wait(log_, "all-reduce of bucket " + std::to_string(pending_));
    if (pending_++ == 0) first_pending_ = wait.from();
    inner_->start_all_reduce_sum(values);
  }

  std::unique_ptr<Communicator> inner_;
  ActivityLog& log_;
  uint64_t pending_ = 0;  // reductions since the last wait()
  uint64_t first_pending_ = 0;
};

}  // namespace

std::unique_ptr<ControlPlane> noted(std::unique_ptr<ControlPlane> control, ActivityLog& log) {
  return std::make_unique<NotedControlPlane>(std::move(control), log);
}

std::unique_ptr<Communicator> noted(std::unique_ptr<Communicator> communicator, ActivityLog& log) {
  return std::make_unique<NotedCommunicator>(std::move(communicator), log);
}

}  // namespace lockstep::dist
