#pragma once

#include <string>
#include <vector>

#include "tests/power/operation.h"
#include "tests/power/recovery.h"

namespace lockstep::tests {

/// What was tried, and what did not hold.
struct Findings {
  int64_t moments = 0;                  // between two operations
  int64_t states = 0;                   // that differ in what is on the disk
  int64_t judgements = 0;               // of what recovery sees of them, and what was promised by then
  std::vector<std::string> violations;  // the first of each moment
  int64_t commits = 0;
};

/// How a record is tried.
struct Trial {
  int samples = 8;                 // random states at each moment
  bool is_changed_record = false;  // what fails in it is left out
  std::string sought;              // if there is something: five violations with these words are enough
};

/// A power loss after each operation of a record.
Findings lose_power_everywhere(const Record& record, const std::string& run_folder, const Trial& trial);

/// A disk that has lost one block of a committed checkpoint that it said was written: each block of each.
Findings lose_each_committed_block(const Record& record, const std::string& run_folder, bool reads_hashes);

}  // namespace lockstep::tests
