#pragma once

#include <string>

#include "dist/mpi_environment.h"
#include "launcher/launch/machine_facts.h"

namespace lockstep {

/// Cores that this process may run on (its affinity mask).
int available_cores();

/// Threads of this rank's computations.
struct ThreadPlan {
  int per_rank = 1;
  int when_others_wait = 1;  // rank 0 alone at work, the other ranks of the host asleep
};
/// --threads, or OMP_NUM_THREADS, or an even share of the host's cores - all of this rank's own where mpirun bound it
/// to some.
ThreadPlan plan_threads(int threads_wanted, int ranks_on_host);

/// Whether the driver has GPUs, `environment` hides not all of them, and CUDA shows none: the driver is older than this
/// build's CUDA, or its libraries are not here.
bool is_gpu_out_of_reach(int cuda_devices, int driver_devices, const Environment& environment);

/// "cpu" or "cuda:N", N the local rank. Throws SettingsError if GPUs are wanted and this host has fewer than ranks,
/// and, rather than train on the CPU unasked, for "auto" where one is out of reach; in a build for CPUs it warns.
std::string choose_device(const std::string& wanted, const dist::MpiEnvironment& environment);

/// Throws SettingsError if `device` is a GPU without bf16; a CPU without its instructions is slow, but right.
void require_bfloat16(const std::string& device);

}  // namespace lockstep
