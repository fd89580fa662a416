#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace lockstep::tests {

/// The `when`-th call of that name of a thread.
struct Call {
  std::string name;
  int when = 0;
};

/// A thread, and its part of a save.
struct Part {
  const char* failpoint;  // where it begins
  int rank;
  std::vector<std::string> whole;  // what an ordinary one has in its calls: not every commit removes an old checkpoint
};

/// Those that a save may make: they are to fail.
inline const std::regex kFileCalls(
    "open|openat|creat|read|pread64|write|pwrite64|writev|pwritev|pwritev2|sendfile|copy_file_range|close|fsync|"
    "fdatasync|sync_file_range|rename|renameat|renameat2|unlink|unlinkat|rmdir|link|linkat|mkdir|mkdirat|truncate|"
    "ftruncate|fallocate|chmod|fchmod|fchmodat|stat|lstat|fstat|newfstatat|statx|statfs|fstatfs|getdents64|fcntl|lseek|"
    "flock");
/// And those that are not: of memory, the failpoint's look at its gate, what MPI waits with, and the start of a thread.
inline const std::regex kOtherCalls("mmap|access|poll|epoll_wait|clone|clone3");
/// Where an error cannot be at any of them.
inline const std::map<std::string, std::regex> kOnlyAt{
    {"EMFILE", std::regex("open.*|creat")},
    {"EROFS", std::regex("(open|rename|unlink|link|mkdir|p?write|f?chmod|f?truncate).*|creat|rmdir|f(data)?sync|"
                         "fallocate|sendfile|copy_file_range")}};
inline constexpr const char* kKill = "SIGKILL";

/// What happens at a call of a part.
struct Fault {
  const Part* part;
  Call call;
  std::string kind;  // an error's name, or SIGKILL
  bool is_possible() const {
    const auto only_at = kOnlyAt.find(kind);
    return only_at == kOnlyAt.end() || std::regex_match(call.name, only_at->second);
  }
  /// As strace takes it, and what it prints where it did so.
  std::string injection() const {
    return call.name + (kind == kKill ? ":signal=" : ":error=") + kind + ":when=" + std::to_string(call.when);
  }
  std::string mark() const { return kind == kKill ? "killed by SIGKILL" : "(INJECTED)"; }
  std::string words() const {
    return std::string(part->failpoint) + " of rank " + std::to_string(part->rank) + ": " + kind + " at " + call.name +
           " number " + std::to_string(call.when);
  }
};

/// Whether the calls of `log`, by strace, are of an ordinary one.
inline bool is_whole(const Part& part, const std::string& log) {
  return std::ranges::all_of(part.whole, [&](const std::string& words) { return log.find(words) != log.npos; });
}

/// Those of a log of strace, in their order.
inline std::vector<Call> calls_in(const std::string& log) {
  std::vector<Call> calls;
  std::map<std::string, int> counts;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"));
    if (name.empty()) continue;  // what strace says of signals, and of the end
    if (std::regex_match(name, kFileCalls))
      calls.push_back({name, ++counts[name]});
    else
      EXPECT_TRUE(std::regex_match(name, kOtherCalls)) << "to be made to fail, or listed as harmless: " << line;
  }
  return calls;
}

}  // namespace lockstep::tests
