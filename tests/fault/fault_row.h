#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <random>
#include <string>

#include "tests/support/process.h"

namespace lockstep::tests {

/// One row of the fault matrix: its trials, each from a seed of its own, and what came of them. Prints them when it
/// ends, as a line that `campaign` makes its table of. LOCKSTEP_FAULT_SEED is the first trial's seed (else a random
/// one), LOCKSTEP_FAULT_TRIALS how many there are.
class FaultRow {
 public:
  using Random = std::mt19937_64;

  FaultRow(std::string name, int trials) : name_(std::move(name)) {
    const std::string wish = environment("LOCKSTEP_FAULT_TRIALS"), seed = environment("LOCKSTEP_FAULT_SEED");
    trials_ = wish.empty() ? trials : std::stoi(wish);
    seed_ = seed.empty() ? std::random_device{}() : std::stoull(seed);
  }
  ~FaultRow() {
    std::printf("fault row|%s|%d|%d|%.2f|%llu\n", name_.c_str(), counted_, violations_, longest_,
                static_cast<unsigned long long>(seed_));
  }
  FaultRow(const FaultRow&) = delete;
  FaultRow& operator=(const FaultRow&) = delete;

  const std::string& name() const { return name_; }
  int trials() const { return trials_; }
  uint64_t seed() const { return seed_; }
  int violations() const { return violations_; }
  /// The longest counts.
  void took(double seconds) { longest_ = std::max(longest_, seconds); }
  /// Runs a trial. It counts as a violation if anything in it fails, or throws.
  void count(const std::function<void()>& trial) {
    const int before = failures();
    bool throws = false;
    try {
      trial();
    } catch (const std::exception& error) {
      throws = true;
      ADD_FAILURE() << error.what();
    }
    ++counted_;
    violations_ += throws || failures() > before ? 1 : 0;
  }
  /// Takes back the trial that is being counted: what it was to hurt did not come by.
  void was_no_trial() { --counted_; }
  /// `body` once for each seed; it counts its trials itself.
  void for_each_seed(const std::function<void(Random&)>& body) {
    for (int i = 0; i < trials_ && !testing::Test::HasFatalFailure(); ++i) {
      const uint64_t seed = seed_ + static_cast<uint64_t>(i);
      SCOPED_TRACE("again: tests/fault/campaign --row " + name_ + " --trials 1 --seed " + std::to_string(seed));
      Random random(seed);
      body(random);
    }
  }
  /// One trial for each seed.
  void for_each_trial(const std::function<void(Random&)>& trial) {
    for_each_seed([&](Random& random) { count([&] { trial(random); }); });
  }

 private:
  static int failures() { return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count(); }

  std::string name_;
  int trials_ = 0;
  uint64_t seed_ = 0;
  int counted_ = 0;
  int violations_ = 0;
  double longest_ = 0;
};

}  // namespace lockstep::tests
