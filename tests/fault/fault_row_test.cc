// What counts as a violation.
#include "tests/fault/fault_row.h"

#include <gtest/gtest-spi.h>

#include <stdexcept>

namespace lockstep::tests {
namespace {

TEST(FaultRow, ATrialThatThrowsIsAViolation) {
  FaultRow row("of_itself", 1);
  EXPECT_NONFATAL_FAILURE(row.count([] { throw std::runtime_error("words"); }), "words");
  EXPECT_EQ(row.violations(), 1);
}

}  // namespace
}  // namespace lockstep::tests
