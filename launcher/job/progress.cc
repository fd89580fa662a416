#include "launcher/job/progress.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "launcher/format.h"
#include "launcher/job/log.h"

namespace lockstep {

namespace {

std::atomic<bool> bar_is_drawn = false;  // messages come from more than one thread

/// The file behind descriptor 2 of the process that started us: under mpirun on this host, mpirun's own standard error.
std::string standard_error_of_parent() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/" + std::to_string(getppid()) + "/fd/2", ignored).string();
}

/// Under mpirun our standard error is a pipe: then the terminal's width is asked where mpirun writes. 80 if nobody
/// knows.
size_t terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) {
    const int terminal = open(standard_error_of_parent().c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (terminal >= 0) {
      ioctl(terminal, TIOCGWINSZ, &size);
      close(terminal);
    }
  }
  return size.ws_col > 1 ? size.ws_col : 80;
}

double share_of(const ProgressMoment& moment) {
  return moment.total > 0 ? static_cast<double>(moment.done) / static_cast<double>(moment.total) : 0;
}

std::string bar_of(double share) {
  constexpr int kWidth = 10;
  const auto full = std::lround(share * kWidth);
  std::string bar;
  for (int i = 0; i < kWidth; ++i)
    bar += i < full ? "━" : "─";
  return bar;
}

std::string count_of(const ProgressMoment& moment) {
  return formatted("%lld/%lld", static_cast<long long>(moment.done), static_cast<long long>(moment.total));
}

/// "02:03 < 04:06": gone and left.
std::string times_of(const ProgressMoment& moment) {
  const double share = share_of(moment);
  const double left = share > 0 ? moment.seconds / share * (1 - share) : 0;
  return format_duration(moment.seconds) + " < " + format_duration(left);
}

std::string with_details(const std::string& head, const std::string& details) {
  return details.empty() ? head : head + " | " + details;
}

/// `bar` stands before the numbers.
std::string full_line(const ProgressMoment& moment, const std::string& bar) {
  if (moment.total <= 0)
    return moment.what + formatted(" %lld ", static_cast<long long>(moment.done)) + moment.unit + " | " +
           format_duration(moment.seconds);
  const std::string numbers = formatted("%3.0f%% ", share_of(moment) * 100) + count_of(moment) + " " + moment.unit;
  return with_details(moment.what + " " + bar + numbers + " | " + times_of(moment), moment.details.full);
}

bool is_terminal_name(const std::string& path) {
  return path.starts_with("/dev/pts/") || path.starts_with("/dev/tty") || path == "/dev/console";
}

}  // namespace

ProgressStyle detect_progress_style() {
  if (const char* wish = std::getenv("LOCKSTEP_PROGRESS")) {
    const std::string_view style = wish;
    if (style == "bar") return ProgressStyle::kBar;
    if (style == "none") return ProgressStyle::kNone;
    return ProgressStyle::kLines;
  }
  const bool under_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  const bool terminal = under_mpirun ? is_terminal_name(standard_error_of_parent()) : isatty(STDERR_FILENO) == 1;
  return terminal ? ProgressStyle::kBar : ProgressStyle::kLines;
}

void clear_progress_line() {
  if (!bar_is_drawn) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  bar_is_drawn = false;
}

std::string fitted(const std::string& line, size_t columns) {
  size_t shown = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool starts_character = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
    if (starts_character && ++shown > columns) return line.substr(0, std::min(i, line.rfind(" | ", i)));
  }
  return line;
}

std::string format_duration(double seconds) {
  const long long total = std::llround(std::max(seconds, 0.0));
  const std::string minutes = formatted("%02lld:%02lld", total / 60 % 60, total % 60);
  return total >= 3600 ? formatted("%lld:", total / 3600) + minutes : minutes;
}

std::string progress_line(const ProgressMoment& moment) {
  return full_line(moment, "");
}

std::string progress_bar(const ProgressMoment& moment, size_t columns) {
  std::string line = full_line(moment, bar_of(share_of(moment)) + " ");
  if (fitted(line, columns) != line && !moment.details.narrow.empty())
    line = with_details(count_of(moment) + " | " + times_of(moment), moment.details.narrow);
  return fitted(line, columns);
}

Progress::Progress(ProgressStyle style, std::string what, int64_t total, std::string unit)
    : style_(style), moment_{.what = std::move(what), .unit = std::move(unit), .total = total}, last_shown_(start_) {}

Progress::~Progress() {
  clear_progress_line();
}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Progress::set_seconds(double seconds) {
  start_ = Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void Progress::pause() {
  paused_at_ = Clock::now();
}

void Progress::resume() {
  start_ += Clock::now() - paused_at_;
}

void Progress::update(int64_t done, const ProgressDetails& details) {
  if (style_ == ProgressStyle::kNone) return;
  const bool bar = style_ == ProgressStyle::kBar;
  const auto now = Clock::now();
  const auto pause = bar ? std::chrono::milliseconds(100) : std::chrono::milliseconds(30000);
  if (now - last_shown_ < pause) return;
  last_shown_ = now;
  moment_.done = done;
  moment_.seconds = seconds();
  moment_.details = details;
  if (!bar) return log_info(progress_line(moment_));
  std::fprintf(stderr, "\r\033[K%s", progress_bar(moment_, terminal_columns() - 1).c_str());
  std::fflush(stderr);
  bar_is_drawn = true;
}

}  // namespace lockstep
