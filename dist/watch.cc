#include "dist/watch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "dist/beat_exchange.h"
#include "dist/communicator.h"
#include "dist/exit_deadline.h"
#include "dist/hang_judge.h"
#include "dist/mpi_environment.h"

namespace lockstep::dist {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds kBeat(0.25);
constexpr Seconds kLeavingPoll(0.02);
constexpr int kRanksPerBeat = 16;
constexpr int kDeadlineSeconds = 5;

/// In large jobs beats are rarer, so that a rank's work for them stays the same; but not so rare that one that is late
/// were taken for a rank that is gone.
Seconds beat_of(int world_size) {
  constexpr Seconds kRarest(5);
  return std::min(kRarest, kBeat * std::max(1, world_size / kRanksPerBeat));
}

/// Where beats are rarer than the user's patience, nobody could be heard in time.
std::optional<double> patience_of(const WatchOptions& options, Seconds beat) {
  constexpr int kBeats = 4;
  if (!options.timeout_seconds) return std::nullopt;
  return std::max(*options.timeout_seconds, kBeats * beat.count());
}

}  // namespace

class Watch::Watcher {
 public:
  Watcher(ActivityLog& log, WatchOptions options)
      : log_(log),
        options_(std::move(options)),
        ranks_(exchange_.world_size()),
        is_at_the_end_(exchange_.world_size()),
        beat_(beat_of(exchange_.world_size())),
        patience_(patience_of(options_, beat_)),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void leave() {
    const ActivityLog::Wait wait(log_, "goodbye");
    {
      const std::lock_guard lock(mutex_);
      is_leaving_ = true;
    }
    woken_.notify_all();
    thread_.join();
  }

 private:
  void run(const std::stop_token& stop);
  bool sleep(const std::stop_token& stop);
  bool is_leaving();
  void tick();
  double watched_seconds();
  void look_at_myself(double seconds);
  void listen(double seconds);
  Beat::Kind next_beat();
  void tell(Beat::Kind kind);
  void tell_all(Beat::Kind kind);
  [[noreturn]] void end_the_job(int exit_code, const std::string& why, const std::function<void()>& before_abort);
  [[noreturn]] void follow();

  RankView& myself() { return ranks_[exchange_.rank()]; }

  ActivityLog& log_;
  const WatchOptions options_;
  BeatExchange exchange_;
  std::vector<RankView> ranks_;
  std::vector<bool> is_at_the_end_;  // the others only
  const Seconds beat_;
  const std::optional<double> patience_;
  Clock::time_point last_tick_ = Clock::now();

  std::mutex mutex_;
  std::condition_variable_any woken_;
  bool is_leaving_ = false;
  std::jthread thread_;  // last: it uses the members above
};

void Watch::Watcher::run(const std::stop_token& stop) {
  myself().host = options_.host;
  try {
    do {
      tick();
    } while (!(is_leaving() && exchange_.is_over()) && sleep(stop));
  } catch (const std::exception& error) {
    end_the_job(options_.error_exit_code,
                "rank " + std::to_string(exchange_.rank()) + " cannot watch the others: " + error.what(), [] {});
  }
}

/// Until the next tick. False when it is time to stop.
bool Watch::Watcher::sleep(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (is_leaving_)
    woken_.wait_for(lock, stop, kLeavingPoll, [] { return false; });
  else
    woken_.wait_for(lock, stop, beat_, [this] { return is_leaving_; });
  return !stop.stop_requested();
}

bool Watch::Watcher::is_leaving() {
  const std::lock_guard lock(mutex_);
  return is_leaving_;
}

void Watch::Watcher::tick() {
  const double seconds = watched_seconds();
  look_at_myself(seconds);
  listen(seconds);
  tell(next_beat());
  const auto verdict =
      judge_hang(exchange_.rank(), ranks_, patience_, [this](uint64_t number) { return log_.name_of(number); });
  if (verdict) end_the_job(options_.exit_code, *verdict, [this] { tell_all(Beat::kEndingJob); });
}

/// Since the last tick - but no more than two beats, for then this process did not run, and cannot say that others did.
double Watch::Watcher::watched_seconds() {
  const Clock::time_point now = Clock::now();
  const Seconds since = now - std::exchange(last_tick_, now);
  return std::min(since, 2 * beat_).count();
}

void Watch::Watcher::look_at_myself(double seconds) {
  const uint64_t notes_before = myself().activity.notes;
  myself().activity = log_.now();
  myself().idle_seconds = myself().activity.notes == notes_before ? myself().idle_seconds + seconds : 0;
}

void Watch::Watcher::listen(double seconds) {
  for (RankView& view : ranks_)
    view.silent_seconds += seconds;
  myself().silent_seconds = 0;
  exchange_.receive([this](int rank, const Beat& beat) {
    if (beat.kind == Beat::kEndingJob) follow();
    ranks_[rank] = {beat.activity, std::string(beat.host.view()), beat.idle_seconds, 0, beat.kind == Beat::kGoodbye};
    is_at_the_end_[rank] = beat.kind != Beat::kAlive;
  });
}

/// Beats go on until all are at the end: who waits there is still to be known, and to speak.
Beat::Kind Watch::Watcher::next_beat() {
  if (!is_leaving()) return Beat::kAlive;
  const auto others = std::count(is_at_the_end_.begin(), is_at_the_end_.end(), true);
  return others + 1 == exchange_.world_size() ? Beat::kGoodbye : Beat::kLeaving;
}

void Watch::Watcher::tell(Beat::Kind kind) {
  exchange_.send({kind, myself().idle_seconds, options_.host, myself().activity});
}

/// Within two beats, every rank that listens has taken the message before, and then this one. In large jobs there is
/// not time for that before the deadline: whom it does not reach, the abort ends.
void Watch::Watcher::tell_all(Beat::Kind kind) {
  constexpr int kPolls = 20;
  constexpr Seconds kLongest(2);
  for (int poll = 0; poll < kPolls; ++poll) {
    tell(kind);
    std::this_thread::sleep_for(std::min(kLongest, 2 * beat_) / kPolls);
  }
}

void Watch::Watcher::end_the_job(int exit_code, const std::string& why, const std::function<void()>& before_abort) {
  const ExitDeadline deadline(exit_code, kDeadlineSeconds);
  options_.report(why);
  before_abort();
  MpiEnvironment::end_daemon_after(kDeadlineSeconds);
  MpiEnvironment::abort_job(exit_code, kDeadlineSeconds);
}

/// Another rank has reported and aborts the job; where mpirun itself is stuck, that ends nobody but that rank.
void Watch::Watcher::follow() {
  std::this_thread::sleep_for(Seconds(kDeadlineSeconds));
  _exit(options_.exit_code);
}

Watch::Watch(ActivityLog& activity, WatchOptions options)
    : watcher_(std::make_unique<Watcher>(activity, std::move(options))) {}

Watch::~Watch() {
  const ExitDeadline deadline(kAbortExitCode, 2 * kDeadlineSeconds);  // longer than a report or follow() takes
  watcher_.reset();
}

void Watch::leave() {
  watcher_->leave();
}

}  // namespace lockstep::dist
