#pragma once

#include <string>
#include <vector>

namespace lockstep {

/// A host and how many ranks it has places for.
struct Host {
  std::string name;
  int slots = 1;
  bool operator==(const Host&) const = default;
};

/// "a:4,b:2,c" -> a with 4, b with 2, c with 1. Throws UsageError that names the wrong part.
std::vector<Host> parse_hosts(const std::string& text);

/// The places of all hosts together.
int total_slots(const std::vector<Host>& hosts);

/// "a:4,b:2,c:1", as mpirun --host takes it.
std::string host_argument(const std::vector<Host>& hosts);

}  // namespace lockstep
