#include "dist/mpi_environment.h"

#include <mpi.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "dist/check.h"
#include "dist/error.h"
#include "dist/exit_deadline.h"

namespace lockstep::dist {
namespace {

bool is_initialized() {
  int flag = 0;
  return MPI_Initialized(&flag) == MPI_SUCCESS && flag != 0;
}

bool is_running() {
  int finalized = 0;
  return is_initialized() && MPI_Finalized(&finalized) == MPI_SUCCESS && finalized == 0;
}

const char* name_of_level(int level) {
  if (level == MPI_THREAD_SINGLE) return "MPI_THREAD_SINGLE";
  if (level == MPI_THREAD_FUNNELED) return "MPI_THREAD_FUNNELED";
  return "MPI_THREAD_SERIALIZED";
}

/// Open MPI's modules for Omni-Path and InfiniPath measure the clock for a fifth of a second before they look whether
/// there is such a network. Where there is no RDMA device at all they stay away, unless the user says something about
/// it.
void leave_out_absent_networks() {
  namespace fs = std::filesystem;
  std::error_code missing;
  if (fs::directory_iterator(fs::path("/sys/class/infiniband"), missing) != fs::directory_iterator()) return;
  if (std::getenv("OMPI_MCA_pml") == nullptr) setenv("OMPI_MCA_mtl", "^ofi,psm,psm2", 0);
}

/// For blocking all-reduces, which are those of gradients: each of MiBs, so what counts is how often the bytes travel.
/// In a ring each rank sends less than twice as many, whatever the number of ranks; Open MPI's own choice for three
/// hosts took 2.7 times as long (docs/guide/clusters.md). A user who chooses an algorithm, or a file of rules, gets it.
void reduce_in_a_ring() {
  for (const char* choice : {"OMPI_MCA_coll_tuned_use_dynamic_rules", "OMPI_MCA_coll_tuned_allreduce_algorithm"})
    if (std::getenv(choice) != nullptr) return;
  constexpr const char* kRing = "4";
  setenv("OMPI_MCA_coll_tuned_use_dynamic_rules", "1", 0);
  setenv("OMPI_MCA_coll_tuned_allreduce_algorithm", kRing, 0);
}

void initialize() {
  if (is_initialized()) throw std::logic_error("MPI is initialized already: one MpiEnvironment per process");
  // Started without mpirun, Open MPI would fork a daemon of its own, only needed to spawn more processes.
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
  leave_out_absent_networks();
  reduce_in_a_ring();
  int provided = MPI_THREAD_SINGLE;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (provided < MPI_THREAD_MULTIPLE)
    throw CommunicationError(std::string("gradients are reduced while another thread uses MPI: found level ") +
                             name_of_level(provided) +
                             ", expected MPI_THREAD_MULTIPLE; use an MPI library with full thread support, such as "
                             "Debian's Open MPI");
}

/// srun without a PMI that this MPI library knows starts N jobs of one rank each, which would train N times in silence.
void require_launcher_understood(int world_size) {
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  const bool under_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  if (world_size > 1 || under_mpirun || tasks == nullptr || std::atoi(tasks) < 2) return;
  throw CommunicationError("srun started " + std::string(tasks) +
                           " tasks, but MPI sees a world of 1: they do not know of each other. Use srun --mpi=pmix, "
                           "or mpirun inside the allocation");
}

bool is_daemon(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/comm");
  std::string name;
  return std::getline(file, name) && name == "orted";
}

}  // namespace

MpiEnvironment::MpiEnvironment() {
  initialize();
  check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(MPI_COMM_WORLD, &world_size_), "MPI_Comm_size");
  require_launcher_understood(world_size_);

  MPI_Comm host = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host), "MPI_Comm_split_type");
  check(MPI_Comm_rank(host, &local_rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(host, &local_size_), "MPI_Comm_size");
  check(MPI_Comm_free(&host), "MPI_Comm_free");

  char name[MPI_MAX_PROCESSOR_NAME];
  int length = 0;
  check(MPI_Get_processor_name(name, &length), "MPI_Get_processor_name");
  host_.assign(name, length);
}

MpiEnvironment::~MpiEnvironment() = default;

void MpiEnvironment::finalize() {
  if (finalized_) throw std::logic_error("MpiEnvironment::finalize was called twice");
  check(MPI_Finalize(), "MPI_Finalize");
  finalized_ = true;
}

void MpiEnvironment::abort_job(int exit_code, double deadline_seconds) {
  const ExitDeadline deadline(exit_code, deadline_seconds);
  if (is_running()) MPI_Abort(MPI_COMM_WORLD, exit_code);
  _exit(exit_code);
}

void MpiEnvironment::end_daemon_after(int seconds) noexcept {
  const pid_t parent = getppid();
  if (!is_daemon(parent)) return;
  const auto daemon = static_cast<int>(syscall(SYS_pidfd_open, parent, 0));
  if (daemon < 0) return;
  if (_Fork() == 0) {  // without threads: only calls that need none
    setsid();          // who ends this rank's group does not mean this one
    pollfd has_ended{daemon, POLLIN, 0};
    if (poll(&has_ended, 1, 1000 * seconds) == 0) syscall(SYS_pidfd_send_signal, daemon, SIGTERM, nullptr, 0);
    _exit(EXIT_SUCCESS);
  }
  close(daemon);
}

std::string MpiEnvironment::library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  check(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  const std::string version(text, length);
  return version.substr(0, version.find_first_of(",\n"));
}

}  // namespace lockstep::dist
