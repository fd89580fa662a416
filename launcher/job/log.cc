#include "launcher/job/log.h"
#include "launcher/cli/printable_text.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>
#include <vector>

#include "launcher/job/launch_marks.h"
#include "launcher/job/progress.h"

namespace lockstep {

namespace {

/// Standard error, with the progress line cleared before each message, and errors marked for `lockstep launch`. Each
/// message is one write, so that nothing of another rank comes into its middle.
class ConsoleSink : public spdlog::sinks::stderr_sink_mt {
 public:
  void log(const spdlog::details::log_msg& message) override {
    clear_progress_line();
    const std::lock_guard lock(mutex_);
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    std::string line(text.data(), text.size());
    if (marks_ && message.level == spdlog::level::err) line = kErrorBegins + line + kErrorEnds;
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
  }

 private:
  const bool marks_ = std::getenv(kMarksVariable) != nullptr;
};

/// Once: a disk that did not take a line rarely takes the next one. spdlog's own words would not be escaped.
void tell_of_missing_lines(const std::string& why) {
  static std::once_flag told;
  std::call_once(told, [&why] {
    clear_progress_line();
    std::fprintf(stderr, "warning: lines are missing in the log: %s\n", printable_lines(why).c_str());
  });
}

}  // namespace

void start_log(int rank, int world_size) {
  auto console = std::make_shared<ConsoleSink>();
  console->set_level(rank == 0 ? spdlog::level::info : spdlog::level::warn);
  auto logger = std::make_shared<spdlog::logger>("rank " + std::to_string(rank), console);
  logger->set_pattern(world_size > 1 && rank > 0 ? "[%n] %v" : "%v");
  logger->flush_on(spdlog::level::info);
  logger->set_error_handler(tell_of_missing_lines);
  spdlog::set_default_logger(logger);
}

void log_to_file(const std::filesystem::path& path) {
  auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  file->set_pattern("%Y-%m-%d %H:%M:%S.%e [%n] [%l] %v");
  spdlog::default_logger()->sinks().push_back(file);
}

void log_info(const std::string& message) {
  spdlog::info("{}", printable_lines(message));
}

void log_warning(const std::string& message) {
  spdlog::warn("warning: {}", printable_lines(message));
}

void print_error(const std::string& message) {
  spdlog::error("error: {}", printable_lines(message));
}

void print_report(const std::string& foreign_text) {
  const std::string text = printable_lines(foreign_text);
  clear_progress_line();
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  const std::string below_the_prefix = "\n" + text;  // log_msg borrows it
  const spdlog::details::log_msg message(spdlog::default_logger()->name(), spdlog::level::info, below_the_prefix);
  const auto& sinks = spdlog::default_logger()->sinks();
  for (size_t file = 1; file < sinks.size(); ++file) {  // sink 0 is the console
    try {
      sinks[file]->log(message);
      sinks[file]->flush();
    } catch (const spdlog::spdlog_ex& error) {  // as of any other line that the disk does not take
      tell_of_missing_lines(error.what());
    }
  }
}

void tell_launch_that_ranks_are_ready() {
  if (std::getenv(kMarksVariable) == nullptr) return;
  std::fputc(kRanksReady, stderr);
  std::fflush(stderr);
}

void tell_launch_of_an_abort(int exit_code) {
  if (std::getenv(kMarksVariable) == nullptr) return;
  std::fputs((kAborting + std::to_string(exit_code) + kAborting).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace lockstep
