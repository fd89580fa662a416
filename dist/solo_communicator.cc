#include <stdexcept>
#include <utility>

#include "dist/communicator.h"
#include "dist/error.h"

namespace lockstep::dist {
namespace {

class SoloCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int world_size() const override { return 1; }
  std::string description() const override { return "nothing (one rank)"; }
  bool takes_device_memory() const override { return true; }

  void start_all_reduce_sum(std::span<float>) override { start(); }
  void start_all_reduce_sum(std::span<BFloat16>) override { start(); }

  ReductionTimes wait() override {
    require_usable();
    return {std::exchange(times_, {}), {}};
  }

  void barrier() override {
    require_usable();
    if (!times_.empty()) throw std::logic_error("barrier while reductions are pending; wait() first");
  }

  void abort(int, double) noexcept override { is_aborted_ = true; }

 private:
  void start() {
    require_usable();
    const Clock::time_point now = Clock::now();
    times_.push_back({now, now});
  }

  void require_usable() const {
    if (is_aborted_) throw CommunicationError("the communicator was aborted");
  }

  std::vector<TimeSpan> times_;
  bool is_aborted_ = false;
};

}  // namespace

std::unique_ptr<Communicator> make_solo_communicator() {
  return std::make_unique<SoloCommunicator>();
}

}  // namespace lockstep::dist
