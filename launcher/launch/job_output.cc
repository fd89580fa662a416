#include "launcher/launch/job_output.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "launcher/job/launch_marks.h"

namespace lockstep {

namespace {

const std::string kRule = std::string(74, '-') + "\n";  // above and below each of mpirun's messages
constexpr size_t kLongestBlock = 8192;                  // of text that begins like one and does not end
constexpr size_t kRemembered = 1 << 16;

/// What mpirun says when a rank has ended the job: its cause, which the rank has told, or which is told at the end.
bool is_epitaph(const std::string& block) {
  for (const char* words :
       {"Primary job  terminated normally", "noticed that process rank", "has exited due to process",
        "processes exited with non-zero status", "MPI_ABORT was invoked on rank"})
    if (block.find(words) != std::string::npos) return true;
  return false;
}

void remove_all(std::string& text, const std::string& part) {
  for (size_t at; (at = text.find(part)) != std::string::npos;)
    text.erase(at, part.size());
}

/// How many of the last bytes may be the beginning of a rule.
size_t trailing_dashes(const std::string& text) {
  size_t count = 0;
  while (count < text.size() && text[text.size() - 1 - count] == '-')
    ++count;
  return count;
}

}  // namespace

std::string JobOutput::without_marks(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c == kRanksReady) {
      ranks_are_ready_ = true;
    } else if (c == kAborting) {
      if (in_code_ && !abort_code_) abort_code_ = std::atoi(code_.c_str());
      in_code_ = !in_code_;
      code_.clear();
    } else if (in_code_ && std::isdigit(static_cast<unsigned char>(c)) != 0) {
      code_ += c;
    } else if (c == kErrorBegins) {
      in_error_ = true;
      error_.clear();
    } else if (c == kErrorEnds && in_error_) {
      in_error_ = false;
      if (first_error_.empty()) first_error_ = error_;
    } else {
      if (in_error_) error_ += c;
      text += c;
    }
  }
  return text;
}

/// Removes all whole blocks from what is held, and the text before them. Returns what of these is to be printed.
std::string JobOutput::take_blocks() {
  std::string printed;
  for (size_t rule; (rule = held_.find(kRule)) != std::string::npos;) {
    printed += held_.substr(0, rule);
    held_.erase(0, rule);
    const size_t end = held_.find(kRule, kRule.size());
    if (end == std::string::npos) break;
    const std::string block = held_.substr(0, end + kRule.size());
    (is_epitaph(block) ? epitaph_ : printed) += block;
    held_.erase(0, block.size());
  }
  return printed;
}

std::string JobOutput::pass(const std::string& bytes) {
  held_ += without_marks(bytes);
  remove_all(held_, "mpirun: Forwarding signal 10 to job\n");
  std::string printed = take_blocks();
  if (!held_.starts_with(kRule) || held_.size() > kLongestBlock) {
    const size_t now = held_.size() - std::min(trailing_dashes(held_), kRule.size());
    printed += held_.substr(0, now);
    held_.erase(0, now);
  }
  printed_ += printed;
  if (printed_.size() > kRemembered) printed_.erase(0, printed_.size() - kRemembered);
  return printed;
}

std::string JobOutput::rest() {
  printed_ += held_;
  return std::exchange(held_, "");
}

}  // namespace lockstep
