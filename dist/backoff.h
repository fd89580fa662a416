#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace lockstep::dist {

/// Pauses between polls that leave the core to others: none for the first few, since partners are often about to
/// arrive, then sleeps that grow to `max_sleep_ms`.
class Backoff {
 public:
  explicit Backoff(double max_sleep_ms) : max_sleep_ms_(max_sleep_ms) {}

  void pause() {
    constexpr int kEagerPolls = 16;
    if (++polls_ < kEagerPolls) return;
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(std::min(sleep_ms_, max_sleep_ms_)));
    sleep_ms_ *= 1.5;
  }

 private:
  double max_sleep_ms_;
  double sleep_ms_ = 0.02;
  int polls_ = 0;
};

}  // namespace lockstep::dist
