#pragma once

#include <filesystem>
#include <string>

namespace lockstep {

/// Sets up this process's log: messages for people on standard error (rank 0: information and above; other ranks:
/// warnings and above, marked with their rank). Call once, before the first message.
void start_log(int rank, int world_size);
/// Rank 0 also writes every message, with date and time, to `path` (appended).
void log_to_file(const std::filesystem::path& path);

void log_info(const std::string& message);
void log_warning(const std::string& message);

/// The last words of a failing process: "error: message" on standard error and in the log file.
void print_error(const std::string& message);

/// A command's result: `text`, whole lines, on standard output in one piece (mpirun merges standard output and error in
/// no certain order) and in the log file.
void print_report(const std::string& text);

/// For rank 0, once every rank takes stop requests; see launch_marks.h.
void tell_launch_that_ranks_are_ready();
/// For a rank that is about to end the whole job by force.
void tell_launch_of_an_abort(int exit_code);

}  // namespace lockstep
