#include "launcher/checkpoint/failpoint.h"

#ifdef LOCKSTEP_FAILPOINTS

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <system_error>

namespace lockstep {

namespace {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

}  // namespace

void failpoint(const char* name) {
  static std::atomic<int> hits{0};
  const std::string wish = variable("LOCKSTEP_FAILPOINT", "");
  const std::string place = std::string(name) + ":" + variable("OMPI_COMM_WORLD_RANK", "0") + ":";
  if (!wish.starts_with(place)) return;
  const size_t colon = wish.find(':', place.size());
  if (++hits != std::stoi(wish.substr(place.size()))) return;
  if (wish.substr(colon + 1) == "kill") std::raise(SIGKILL);
  throw std::system_error(ENOSPC, std::generic_category(), std::string("failpoint ") + name);
}

}  // namespace lockstep

#endif
