#include "launcher/launch/machine_facts.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "launcher/errors.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::string topology(int cpu, const char* what) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/" + what);
  std::string text;
  std::getline(file, text);
  return text;
}

/// Hardware threads of one core count once. Where the kernel does not say, one core: mpirun then gets --oversubscribe,
/// which is harmless.
void count_cores(MachineFacts& facts) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return;
  std::set<std::pair<std::string, std::string>> physical;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &mask)) physical.emplace(topology(cpu, "physical_package_id"), topology(cpu, "core_id"));
  facts.cores = std::max(1, CPU_COUNT(&mask));
  facts.physical_cores = std::max<int>(1, static_cast<int>(physical.size()));
}

bool is_executable_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

bool is_in_path(const std::string& name, const std::string& path,
                const std::function<bool(const std::string&)>& is_executable) {
  std::istringstream folders(path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (is_executable((folder.empty() ? "." : folder) + "/" + name)) return true;
  return false;
}

}  // namespace

Environment own_environment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return environment;
}

int gpu_devices() {
  int devices = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/dev", ignored)) {
    const std::string name = entry.path().filename();
    const bool numbered = name.size() > 6 && std::all_of(name.begin() + 6, name.end(),
                                                         [](unsigned char c) { return std::isdigit(c) != 0; });
    if (name.starts_with("nvidia") && numbered) ++devices;
  }
  return devices;
}

int visible_gpus(int devices, const Environment& environment) {
  const auto found = environment.find("CUDA_VISIBLE_DEVICES");
  if (found == environment.end()) return devices;
  int visible = 0;
  std::istringstream entries(found->second);
  for (std::string entry; std::getline(entries, entry, ',') && entry != "-1" && entry != "NoDevFiles";)
    ++visible;
  return std::min(devices, visible);
}

std::string find_mpirun(const Environment& environment, const std::string& folder,
                        const std::function<bool(const std::string&)>& is_executable) {
  if (std::string named = value_of(environment, "LOCKSTEP_MPIRUN"); !named.empty()) {
    if (is_executable(named)) return named;
    throw NotStartedError("LOCKSTEP_MPIRUN=" + named + " is no program that can be run");
  }
  // By its full path it tells other hosts where its own installation lies, which must then be at that path there, too.
  if (is_executable(folder + "/mpirun")) return folder + "/mpirun";
  if (is_in_path("mpirun", value_of(environment, "PATH"), is_executable)) return "mpirun";
  throw NotStartedError(
      "mpirun was not found: neither beside the program nor in PATH. Install Open MPI (Debian, Ubuntu: apt-get install "
      "openmpi-bin), or name it: LOCKSTEP_MPIRUN=/path/to/mpirun");
}

std::string find_program(const Environment& environment, const std::string& self) {
  const fs::path bundle = value_of(environment, "LOCKSTEP_BUNDLE");
  const fs::path own = self;
  return !bundle.empty() && own.parent_path() == bundle / "libexec" ? (bundle / "bin" / own.filename()).string() : self;
}

std::string own_program() {
  return find_program(own_environment(), fs::read_symlink("/proc/self/exe"));
}

MachineFacts look_at_machine() {
  MachineFacts facts;
  count_cores(facts);
  facts.environment = own_environment();
  facts.gpus = kIsBuiltForGpus ? visible_gpus(gpu_devices(), facts.environment) : 0;
  facts.is_root = geteuid() == 0;
  const fs::path self = fs::read_symlink("/proc/self/exe");
  facts.program = find_program(facts.environment, self);
  facts.mpirun = find_mpirun(facts.environment, self.parent_path().string(), is_executable_file);
  return facts;
}

}  // namespace lockstep
