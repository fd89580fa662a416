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

bool is_a_moment(const Operation& operation) {
  return operation.kind != Operation::Kind::kOpen;
}

/// Tries the states of one moment after the other.
class Campaign {
 public:
  Campaign(const std::string& run_folder, const Trial& trial) : trial_(trial), promises_(run_folder) {}

  bool goes_on() const { return times_found_ < 5; }
  void apply(const Operation& operation) {
    disk_.apply(operation, trial_.is_changed_record);
    promises_.observe(operation, disk_);
    findings_.commits += is_committed(operation) ? 1 : 0;
  }
  void lose_power_after(const Operation& operation) {
    ++findings_.moments;
    for_each_state(disk_, trial_.samples, random_, [&](const Tree& left) {
      const std::string problem = problem_of(left);
      if (problem.empty()) return true;
      findings_.violations.push_back(problem + ", after: " + words_on(operation) + words_on(left));
      times_found_ += !trial_.sought.empty() && problem.find(trial_.sought) != std::string::npos ? 1 : 0;
      return false;
    });
  }
  Findings findings() {
    findings_.states = std::ssize(states_);
    findings_.judgements = recovery_.judgements();
    return findings_;
  }

 private:
  std::string problem_of(const Tree& left) {
    const size_t state = fingerprint(left);
    states_.insert(state);
    return tried_.insert(mixed(state, promises_.version())).second ? recovery_.problem_after(left, promises_) : "";
  }

  Trial trial_;
  Disk disk_;
  Promises promises_;
  Recovery recovery_;
  Findings findings_;
  int times_found_ = 0;
  std::mt19937 random_{1};
  std::unordered_set<size_t> states_, tried_;  // tried_: each under the promises of its moment
};

}  // namespace

Findings lose_power_everywhere(const Record& record, const std::string& run_folder, const Trial& trial) {
  Campaign campaign(run_folder, trial);
  const auto paths = opened_paths(record);
  for (const Operation& operation : record) {
    if (!campaign.goes_on()) break;
    if (is_of_a_log(operation, paths)) continue;
    campaign.apply(operation);
    if (is_a_moment(operation)) campaign.lose_power_after(operation);
  }
  return campaign.findings();
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
