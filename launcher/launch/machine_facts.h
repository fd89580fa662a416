#pragma once

#include <functional>
#include <map>
#include <string>

namespace lockstep {

using Environment = std::map<std::string, std::string>;

/// What a launch depends on, apart from its options.
struct MachineFacts {
  int cores = 1;           // that this process may run on, hardware threads counted
  int physical_cores = 1;  // of these: what mpirun counts as places for ranks
  int gpus = 0;            // that this build can use
  bool is_root = false;
  std::string mpirun;   // as it is to be called
  std::string program;  // absolute path of what ranks start
  Environment environment;
};

/// Looks at this machine. Throws NotStartedError if there is no mpirun.
MachineFacts look_at_machine();

/// What ranks start, for this program.
std::string own_program();

Environment own_environment();

/// Whether the program links LibTorch's CUDA library.
#ifdef LOCKSTEP_CUDA
inline constexpr bool kIsBuiltForGpus = true;
#else
inline constexpr bool kIsBuiltForGpus = false;
#endif

/// By the driver's own files: asking CUDA itself would load its libraries for a second.
int gpu_devices();
/// GPUs out of `devices` that CUDA_VISIBLE_DEVICES lets a program see.
int visible_gpus(int devices, const Environment& environment);

/// What ranks start, for the program at `self`: that, or in a bundle the script that sets its libraries up.
std::string find_program(const Environment& environment, const std::string& self);

/// mpirun as LOCKSTEP_MPIRUN names it, or beside the program in `folder`, or in PATH, by `is_executable`. Throws
/// NotStartedError that says what to install.
std::string find_mpirun(const Environment& environment, const std::string& folder,
                        const std::function<bool(const std::string&)>& is_executable);

}  // namespace lockstep
