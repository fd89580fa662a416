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

/// What is shown behind the bar, the most important first: parts with " | " between them.
struct ProgressDetails {
  std::string full = {};
  std::string narrow = {};  // the same in fewer columns
};

/// One moment of a piece of work.
struct ProgressMoment {
  std::string what;   // "training", "test"
  std::string unit;   // "examples", "steps"
  int64_t total = 0;  // of them; 0 if it is not known
  int64_t done = 0;
  double seconds = 0;
  ProgressDetails details = {};
};

/// As a line of a log, which may be as long as it likes.
std::string progress_line(const ProgressMoment& moment);
/// As a bar with `columns` at most. Where it is too long, numbers take the place of the bar and details become narrow;
/// if that is too long as well, the last parts are left out.
std::string progress_bar(const ProgressMoment& moment, size_t columns);

/// Progress of one long piece of work, with rate and time left.
class Progress {
 public:
  /// `what`: "training", "test"; `total` in `unit`s ("examples", "steps"), 0 if it is not known.
  Progress(ProgressStyle style, std::string what, int64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` so far. Redraws at most 10 times a second (bar) or writes a line at
  /// most every 30 seconds (lines).
  void update(int64_t done, const ProgressDetails& details = {});
  double seconds() const;
  /// Goes on from where an earlier process was.
  void set_seconds(double seconds);
  /// Time not counted in the rate, such as an evaluation in between.
  void pause();
  void resume();

 private:
  using Clock = std::chrono::steady_clock;
  ProgressStyle style_;
  ProgressMoment moment_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_shown_;
  Clock::time_point paused_at_;
};

}  // namespace lockstep
