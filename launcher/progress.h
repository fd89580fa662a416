#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lockstep {

/// Where progress goes: a bar that is redrawn on a terminal, or now and then a line in a log.
enum class ProgressStyle { kNone, kLines, kBar };

/// kBar if standard error ends at a terminal - also behind mpirun, whose ranks write into pipes: then the terminal of
/// mpirun itself decides. The environment variable LOCKSTEP_PROGRESS (bar, lines, none) overrides it.
ProgressStyle detect_progress_style();

/// Removes the bar from the terminal, if one is drawn, so that a message can be printed.
void clear_progress_line();

/// `line` cut to `columns` of a terminal (one per character), so that redrawing it leaves nothing behind: where " | "
/// stands, if it does, so that no number loses digits.
std::string fitted(const std::string& line, size_t columns);

/// "1:02:03" or "02:03".
std::string format_duration(double seconds);

/// Progress of one long piece of work, with rate and time left.
class Progress {
 public:
  /// `what`: "training", "test"; `total` in `unit`s ("examples", "steps"), 0 if it is not known.
  Progress(ProgressStyle style, std::string what, int64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` so far; `details` is shown as it is. Redraws at most 10 times a second (bar) or writes a line at
  /// most every 30 seconds (lines).
  void update(int64_t done, const std::string& details);
  double seconds() const;
  /// Goes on from where an earlier process was.
  void set_seconds(double seconds);
  /// Time not counted in the rate, such as an evaluation in between.
  void pause();
  void resume();

 private:
  std::string render(int64_t done, const std::string& details) const;

  using Clock = std::chrono::steady_clock;
  ProgressStyle style_;
  std::string what_;
  int64_t total_;
  std::string unit_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_shown_;
  Clock::time_point paused_at_;
};

}  // namespace lockstep
