#include "launcher/progress.h"

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
#include "launcher/log.h"

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

Progress::Progress(ProgressStyle style, std::string what, int64_t total, std::string unit)
    : style_(style), what_(std::move(what)), total_(total), unit_(std::move(unit)), last_shown_(start_) {}

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

void Progress::update(int64_t done, const std::string& details) {
  if (style_ == ProgressStyle::kNone) return;
  const bool bar = style_ == ProgressStyle::kBar;
  const auto now = Clock::now();
  const auto pause = bar ? std::chrono::milliseconds(100) : std::chrono::milliseconds(30000);
  if (now - last_shown_ < pause) return;
  last_shown_ = now;
  const std::string line = render(done, details);
  if (!bar) {
    log_info(line);
    return;
  }
  std::fprintf(stderr, "\r\033[K%s", fitted(line, terminal_columns() - 1).c_str());
  std::fflush(stderr);
  bar_is_drawn = true;
}

std::string Progress::render(int64_t done, const std::string& details) const {
  const double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 0;
  const double elapsed = seconds();
  const double left = share > 0 ? elapsed / share * (1 - share) : 0;
  if (total_ <= 0) return what_ + " " + std::to_string(done) + " " + unit_ + " | " + format_duration(elapsed);
  std::string bar;
  if (style_ == ProgressStyle::kBar) {
    constexpr int kWidth = 10;
    const auto full = std::lround(share * kWidth);
    for (int i = 0; i < kWidth; ++i)
      bar += i < full ? "━" : "─";
    bar += ' ';
  }
  const std::string numbers = formatted("%3.0f%% %lld/%lld %s", share * 100, static_cast<long long>(done),
                                        static_cast<long long>(total_), unit_.c_str());
  const std::string head = what_ + " " + bar + numbers;
  // What a narrow terminal cuts off comes last.
  return head + " | " + format_duration(elapsed) + " < " + format_duration(left) +
         (details.empty() ? "" : " | " + details);
}

}  // namespace lockstep
