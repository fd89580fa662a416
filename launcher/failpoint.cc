#include "launcher/failpoint.h"

#ifdef LOCKSTEP_FAILPOINTS

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <string>
#include <system_error>
#include <thread>

namespace lockstep {

namespace {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

/// Until the file that LOCKSTEP_FAILPOINT_GATE names is there. Meanwhile the thread's name is "held".
void hold() {
  std::array<char, 16> name{};
  prctl(PR_GET_NAME, name.data());
  prctl(PR_SET_NAME, "held");
  while (access(variable("LOCKSTEP_FAILPOINT_GATE", "/").c_str(), F_OK) != 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  prctl(PR_SET_NAME, name.data());
}

void act(const std::string& action, const char* name) {
  if (action == "kill") std::raise(SIGKILL);
  if (action == "freeze") std::raise(SIGSTOP);
  if (action == "full") throw std::system_error(ENOSPC, std::generic_category(), std::string("failpoint ") + name);
  if (action == "slow") std::this_thread::sleep_for(std::chrono::seconds(3));
  if (action.starts_with("usr1")) std::raise(SIGUSR1);
  if (action == "usr1-twice") std::raise(SIGUSR1);
  if (action.starts_with("term")) std::raise(SIGTERM);
  if (action == "term-twice") std::raise(SIGTERM);
}

}  // namespace

void failpoint(const char* name) {
  static std::atomic<int> hits{0};
  const std::string wish = variable("LOCKSTEP_FAILPOINT", "");
  const std::string place = std::string(name) + ":" + variable("OMPI_COMM_WORLD_RANK", "0") + ":";
  if (!wish.starts_with(place)) return;
  const int from = std::stoi(wish.substr(place.size()));
  const std::string action = wish.substr(wish.rfind(':') + 1);
  if (++hits >= from && action == "lag") std::this_thread::sleep_for(std::chrono::milliseconds(200));
  if (hits >= from && action == "hold") hold();
  if (hits == from) act(action, name);
}

double failpoint_factor(std::span<const int64_t> examples) {
  static const int64_t poisoned = std::stoll(variable("LOCKSTEP_NAN_EXAMPLE", "-1"));
  return std::ranges::find(examples, poisoned) == examples.end() ? 1 : std::numeric_limits<double>::quiet_NaN();
}

std::vector<int64_t> failpoint_examples(std::span<const int64_t> examples) {
  static const std::string wish = variable("LOCKSTEP_SWAP_EXAMPLE", "");
  std::vector<int64_t> trained(examples.begin(), examples.end());
  if (wish.empty()) return trained;
  const size_t comma = wish.find(',');
  const auto place = std::ranges::find(trained, std::stoll(wish));
  if (place == trained.end()) return trained;
  if (comma == std::string::npos)
    trained.erase(place);
  else
    *place = std::stoll(wish.substr(comma + 1));
  return trained;
}

}  // namespace lockstep

#endif
