#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>

namespace lockstep::dist {

/// Text that fits a message of fixed size; what is longer loses its end.
class Label {
 public:
  Label() = default;
  template <std::convertible_to<std::string_view> Text>
  Label(const Text& text) {
    const std::string_view all = text;
    std::copy_n(all.data(), std::min(all.size(), sizeof text_ - 1), text_);
  }
  std::string_view view() const { return text_; }

 private:
  char text_[48] = {};
};

/// How long a phase may go without a note of progress before it counts as stuck.
enum class Pace {
  kSteps,  // notes come at least about once in the time of a step
  kOpen    // nobody knows: reading, writing
};

/// What a rank is doing. It travels between ranks as bytes.
struct Activity {
  uint64_t notes = 0;  // grows with every sign of progress
  Label phase{"starting"};
  Pace pace = Pace::kOpen;
  int64_t step = 0;                 // the one it is in, or the last one, from 1
  double slowest_step_seconds = 0;  // of the recent ones; 0: none is done yet
  /// Collectives are numbered from 1 in the order in which ranks begin them, which is the same on all ranks.
  uint64_t reached = 0;
  Label collective;         // the name of number `reached`
  bool is_waiting = false;  // in collectives, for other ranks
  uint64_t waits_from = 0;  // then: in one of the numbers from this to `reached`
};

/// Where a rank notes what it is doing, for its Watch to tell the others. Any thread calls; a note costs well under a
/// microsecond. Collectives are noted by one thread.
class ActivityLog {
 public:
  void phase(std::string_view name, Pace pace);
  /// Step `number` (from 1) begins; with end_step() it is timed.
  void begin_step(int64_t number);
  void end_step();
  /// Something was done within the phase, such as one batch of an evaluation.
  void progress();

  /// For as long as it lives, its rank waits for others.
  class Wait {
   public:
    /// In a new collective, or while it is started.
    Wait(ActivityLog& log, std::string_view name);
    /// For those from number `from` on that were begun already.
    Wait(ActivityLog& log, uint64_t from);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    uint64_t from() const { return from_; }

   private:
    void enter();

    ActivityLog& log_;
    uint64_t from_;
    bool outer_waiting_;  // a collective may be made of others
    uint64_t outer_from_;
  };

  Activity now() const;
  /// The name of a collective among the last few hundred; else "".
  Label name_of(uint64_t number) const;

 private:
  using Clock = std::chrono::steady_clock;
  // These are called with the mutex held.
  void note() { ++activity_.notes; }
  uint64_t begin_collective(std::string_view name);

  mutable std::mutex mutex_;
  Activity activity_;
  std::array<Label, 256> names_;           // of the last collectives, by number modulo size
  std::array<double, 20> step_seconds_{};  // of the last steps, likewise
  size_t steps_ = 0;
  Clock::time_point step_begin_;
};

}  // namespace lockstep::dist
