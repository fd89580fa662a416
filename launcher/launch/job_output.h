#pragma once

#include <optional>
#include <string>

namespace lockstep {

/// Standard error of a job as it comes through mpirun. Takes the ranks' marks (launch_marks.h) and mpirun's words about
/// a job that has ended out of it, and remembers them; all else passes at once.
class JobOutput {
 public:
  /// What of `bytes`, and of what was held back before, is to be printed now.
  std::string pass(const std::string& bytes);
  /// What is still held back at the end.
  std::string rest();

  bool ranks_are_ready() const { return ranks_are_ready_; }
  /// The exit code with which a rank ends the job by force, if one has begun to.
  std::optional<int> abort_code() const { return abort_code_; }
  /// The first message that a rank ended with, a line or several; "" if none did.
  const std::string& first_error() const { return first_error_; }
  /// Whether it is also the last that was printed.
  bool error_is_last() const { return printed_.ends_with(first_error_); }
  /// The last that was printed.
  const std::string& printed() const { return printed_; }
  /// mpirun's words about the end.
  const std::string& epitaph() const { return epitaph_; }

 private:
  std::string without_marks(const std::string& bytes);
  std::string take_blocks();

  std::string held_;   // what may be the beginning of a block of mpirun's, between two rules
  std::string error_;  // between its marks so far
  bool in_error_ = false;
  std::string code_;  // likewise
  bool in_code_ = false;
  std::optional<int> abort_code_;
  bool ranks_are_ready_ = false;
  std::string first_error_;
  std::string epitaph_;
  std::string printed_;  // the last of it
};

}  // namespace lockstep
