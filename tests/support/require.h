#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>

namespace lockstep::tests {

/// True if LOCKSTEP_REQUIRE (a comma-separated list such as "imdb,transformers,minilm") names `what`.
inline bool is_required(const std::string& what) {
  const char* list = std::getenv("LOCKSTEP_REQUIRE");
  std::istringstream names(list ? list : "");
  for (std::string name; std::getline(names, name, ',');)
    if (name == what) return true;
  return false;
}

}  // namespace lockstep::tests

/// Skips the test where the machine lacks `what`; fails it where LOCKSTEP_REQUIRE says that the machine must have it.
#define LOCKSTEP_NEEDS(what, available, why)                                                               \
  do {                                                                                                     \
    if (available) break;                                                                                  \
    if (lockstep::tests::is_required(what)) FAIL() << "required but missing: " << (what) << ": " << (why); \
    GTEST_SKIP() << (what) << ": " << (why);                                                               \
  } while (false)
