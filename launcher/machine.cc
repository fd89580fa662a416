#include "launcher/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "launcher/errors.h"
#include "launcher/job/log.h"
#include "model/compute.h"
#include "model/distilbert.h"

namespace lockstep {

namespace {

/// Cores in a process's affinity mask; 1 if it cannot be seen.
int cores_of(pid_t process) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  return sched_getaffinity(process, sizeof mask, &mask) == 0 ? std::max(1, CPU_COUNT(&mask)) : 1;
}

}  // namespace

int available_cores() {
  return cores_of(0);
}

ThreadPlan plan_threads(int threads_wanted, int ranks_on_host) {
  if (threads_wanted > 0) return {threads_wanted, threads_wanted};
  if (const char* omp = std::getenv("OMP_NUM_THREADS"); omp && std::atoi(omp) > 0)
    return {std::atoi(omp), std::atoi(omp)};
  const int cores = available_cores();
  // Not compared with the machine's: a container, or a batch system, may have bound mpirun and all of its ranks alike.
  const bool bound = cores < cores_of(getppid());
  return {bound ? cores : std::max(1, cores / ranks_on_host), cores};
}

bool is_gpu_out_of_reach(int cuda_devices, int driver_devices, const Environment& environment) {
  return cuda_devices == 0 && visible_gpus(driver_devices, environment) > 0;
}

namespace {

void judge_unused_gpus(int cuda_devices, const dist::MpiEnvironment& environment) {
  if (!is_gpu_out_of_reach(cuda_devices, gpu_devices(), own_environment())) return;
  const std::string found = "--device auto: host " + environment.host() + " has a GPU (/dev/nvidia*), but ";
  if (kIsBuiltForGpus)
    throw SettingsError(found +
                        "CUDA shows this program none. CUDA 13 needs driver 580 or newer (nvidia-smi shows its "
                        "version), in a container its libraries, too; a batch job has to ask for GPUs; or add --device "
                        "cpu");
  if (environment.local_rank() == 0)
    log_warning(found +
                "this program is built without CUDA, and computes on the CPU: configure with "
                "-DLOCKSTEP_CUDA=ON, or add --device cpu");
}

}  // namespace

std::string choose_device(const std::string& wanted, const dist::MpiEnvironment& environment) {
  const int gpus = model::cuda_device_count();
  if (wanted == "auto") judge_unused_gpus(gpus, environment);
  if (wanted == "cpu" || (wanted == "auto" && gpus == 0)) return "cpu";
  if (gpus == 0)
    throw SettingsError("--device cuda: host " + environment.host() +
                        " shows no GPU to this program (nvidia-smi lists them; a CPU build has none: "
                        "configure with -DLOCKSTEP_CUDA=ON)");
  // Under srun with --gpus-per-task every rank sees one device, its own, as number 0. Under mpirun all would see the
  // same.
  const bool by_srun = std::getenv("SLURM_PROCID") != nullptr && std::getenv("OMPI_COMM_WORLD_LOCAL_RANK") == nullptr;
  if (gpus == 1 && environment.local_size() > 1 && by_srun) return "cuda:0";
  if (environment.local_size() > gpus)
    throw SettingsError("host " + environment.host() + " has " + std::to_string(environment.local_size()) +
                        " ranks but " + std::to_string(gpus) + " GPUs; start one rank per GPU (mpirun -np " +
                        std::to_string(gpus) + "), or add --device cpu");
  return "cuda:" + std::to_string(environment.local_rank());
}

void require_bfloat16(const std::string& device) {
  if (device != "cpu" && !model::has_bfloat16(device))
    throw SettingsError("--bf16: " + device +
                        " has no bf16 instructions, which NVIDIA's GPUs have from compute "
                        "capability 8.0 (Ampere) on; leave the option out, or use another GPU");
}

}  // namespace lockstep
