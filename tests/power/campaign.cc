#include "tests/power/campaign.h"

#include <functional>
#include <unordered_set>

#include "tests/power/crash_states.h"

namespace lockstep::tests {

namespace {

std::string words_on(const Operation& operation) {
  constexpr const char* kNames[] = {"create",        "open",   "write",  "resize",   "flush", "make folder",
                                    "remove folder", "unlink", "rename", "exchange", "link",  "mark"};
  return std::string(kNames[static_cast<size_t>(operation.kind)]) + " " + operation.path +
         (operation.other.empty() ? "" : " -> " + operation.other);
}

std::string words_on(const Tree& tree) {
  std::string words;
  for (const auto& [path, content] : tree)
    words += "\n    " + path + (content ? " (" + std::to_string(content->bytes.size()) + ")" : "");
  return words;
}

bool is_committed(const Operation& operation) {
  return operation.kind == Operation::Kind::kMark && operation.bytes == "committed";
}

/// The disk with each block of a checkpoint lost in turn.
void for_each_lost_block(const Tree& whole, const std::string& checkpoint,
                         const std::function<void(const Tree&, const std::string&)>& visit) {
  constexpr size_t kBlock = 512;
  for (const auto& [path, content] : whole) {
    if (!content || !path.starts_with(checkpoint + "/")) continue;
    for (size_t begin = 0; begin < content->bytes.size(); begin += kBlock) {
      std::string bytes = content->bytes;
      const size_t size = std::min(kBlock, bytes.size() - begin);
      bytes.replace(begin, size, size, '\0');
      if (bytes == content->bytes) continue;
      Tree left = whole;
      left[path] = content_of(std::move(bytes));
      visit(left, path + ", byte " + std::to_string(begin));
    }
  }
}

/// Nobody reads the logs after a power loss: their lines would only multiply the states.
bool is_of_a_log(const Operation& operation, const std::map<uint64_t, std::string>& paths) {
  return operation.kind == Operation::Kind::kWrite && paths.at(operation.file).ends_with("/metrics.jsonl");
}

/// The states that are left after one operation.
class Moment {
 public:
  Moment(const Operation& operation, const Promises& promises, Recovery& recovery, Findings& findings)
      : operation_(operation), promises_(promises), recovery_(recovery), findings_(findings) {}

  /// False once something does not hold.
  bool judge(const Tree& left) {
    const std::string problem = recovery_.problem_after(left, promises_);
    if (!problem.empty()) findings_.violations.push_back(problem + ", after: " + words_on(operation_) + words_on(left));
    return problem.empty();
  }

 private:
  const Operation& operation_;
  const Promises& promises_;
  Recovery& recovery_;
  Findings& findings_;
};

}  // namespace

Findings lose_power_everywhere(const Record& record, const std::string& run_folder, int samples,
                               bool is_changed_record) {
  Disk disk;
  Promises promises(run_folder);
  Recovery recovery;
  Findings findings;
  std::mt19937 random(1);
  std::unordered_set<size_t> states, judged;
  const auto paths = opened_paths(record);
  for (const Operation& operation : record) {
    if (is_of_a_log(operation, paths)) continue;
    disk.apply(operation, is_changed_record);
    promises.observe(operation, disk);
    if (operation.kind == Operation::Kind::kOpen) continue;
    ++findings.moments;
    findings.commits += is_committed(operation) ? 1 : 0;
    Moment moment(operation, promises, recovery, findings);
    for_each_state(disk, samples, random, [&](const Tree& left) {
      states.insert(fingerprint(left));
      const bool is_new = judged.insert(fingerprint(left, static_cast<size_t>(promises.version()))).second;
      return !is_new || moment.judge(left);
    });
  }
  findings.states = std::ssize(states);
  findings.judgements = recovery.judgements();
  return findings;
}

Findings lose_each_committed_block(const Record& record, const std::string& run_folder, bool reads_hashes) {
  Disk disk;
  Promises promises(run_folder);
  Recovery recovery(reads_hashes);
  Findings findings;
  for (const Operation& operation : record) {
    disk.apply(operation);
    promises.observe(operation, disk);
    if (!is_committed(operation)) continue;
    ++findings.commits;
    for_each_lost_block(disk.seen(), operation.path, [&](const Tree& left, const std::string& block) {
      ++findings.states;
      if (const auto problem = recovery.problem_on_a_bad_disk(left, promises); !problem.empty())
        findings.violations.push_back(problem + ": without " + block);
    });
  }
  return findings;
}

}  // namespace lockstep::tests
