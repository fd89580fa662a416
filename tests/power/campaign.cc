#include "tests/power/campaign.h"

#include <unordered_set>

#include "tests/power/crash_states.h"

namespace lockstep::tests {

namespace {

/// Of what is there and what was promised.
size_t fingerprint(const Tree& tree, int promises) {
  size_t hash = static_cast<size_t>(promises);
  const auto mix = [&](size_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15 + (hash >> 29); };
  for (const auto& [path, content] : tree) {
    mix(std::hash<std::string>{}(path));
    mix(std::hash<const std::string*>{}(content.get()));
  }
  return hash;
}

std::string words_on(const Operation& operation) {
  constexpr const char* kNames[] = {"create",        "open",   "write",  "resize",   "flush", "make folder",
                                    "remove folder", "unlink", "rename", "exchange", "link",  "mark"};
  return std::string(kNames[static_cast<size_t>(operation.kind)]) + " " + operation.path +
         (operation.other.empty() ? "" : " -> " + operation.other);
}

std::string words_on(const Tree& tree) {
  std::string words;
  for (const auto& [path, content] : tree)
    words += "\n    " + path + (content ? " (" + std::to_string(content->size()) + ")" : "");
  return words;
}

bool is_committed(const Operation& operation) {
  return operation.kind == Operation::Kind::kMark && operation.bytes == "committed";
}

}  // namespace

Findings lose_power_everywhere(const Record& record, const std::string& run_folder, int samples,
                               bool is_changed_record) {
  Disk disk;
  Promises promises(run_folder);
  Recovery recovery;
  Findings findings;
  std::mt19937 random(1);
  std::unordered_set<size_t> seen;
  for (const Operation& operation : record) {
    disk.apply(operation, is_changed_record);
    promises.observe(operation, disk);
    if (operation.kind == Operation::Kind::kOpen) continue;
    ++findings.moments;
    findings.commits += is_committed(operation) ? 1 : 0;
    bool holds = true;
    for_each_state(disk, samples, random, [&](const Tree& left) {
      if (!holds || !seen.insert(fingerprint(left, promises.version())).second) return;
      ++findings.states;
      const std::string problem = recovery.problem_after(left, promises);
      holds = problem.empty();
      if (!holds) findings.violations.push_back(problem + ", after: " + words_on(operation) + words_on(left));
    });
  }
  return findings;
}

Findings lose_each_committed_block(const Record& record, const std::string& run_folder, bool reads_hashes) {
  constexpr size_t kBlock = 512;
  Disk disk;
  Promises promises(run_folder);
  Recovery recovery(reads_hashes);
  Findings findings;
  for (const Operation& operation : record) {
    disk.apply(operation);
    promises.observe(operation, disk);
    if (!is_committed(operation)) continue;
    ++findings.commits;
    const Tree whole = disk.seen();
    for (const auto& [path, content] : whole) {
      if (!content || !path.starts_with(operation.path + "/")) continue;
      for (size_t begin = 0; begin < content->size(); begin += kBlock) {
        std::string bytes = *content;
        const size_t size = std::min(kBlock, bytes.size() - begin);
        bytes.replace(begin, size, size, '\0');
        if (bytes == *content) continue;
        Tree left = whole;
        left[path] = std::make_shared<const std::string>(bytes);
        ++findings.states;
        if (const auto problem = recovery.problem_on_a_bad_disk(left, promises); !problem.empty())
          findings.violations.push_back(problem + ": byte " + std::to_string(begin));
      }
    }
  }
  return findings;
}

}  // namespace lockstep::tests
