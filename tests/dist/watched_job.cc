// A small job under a Watch, for job_test.sh: each mode is one way in which ranks hang, or only seem to.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "dist/mpi_environment.h"
#include "dist/noted.h"
#include "dist/reducer.h"
#include "dist/watch.h"
#include "tests/dist/fake_nccl.h"

namespace {

using namespace lockstep::dist;
using namespace std::chrono_literals;

constexpr double kTimeout = 2;
constexpr int kHang = 7;

[[noreturn]] void compute_forever() {
  for (std::atomic<int> work = 0;; ++work) {
  }
}

/// A control plane whose library has lost a message.
class StuckBarrier final : public ControlPlane {
 public:
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }
  std::vector<int64_t> sum(std::vector<int64_t> values) override { return inner_->sum(std::move(values)); }
  std::vector<double> sum(std::vector<double> values) override { return inner_->sum(std::move(values)); }
  std::string broadcast(std::string text, int root) override { return inner_->broadcast(std::move(text), root); }
  void broadcast(std::span<std::byte> bytes, int root) override { inner_->broadcast(bytes, root); }
  std::vector<std::string> gather(const std::string& text) override { return inner_->gather(text); }
  void idle_barrier(double) override { std::this_thread::sleep_for(1h); }

 private:
  std::unique_ptr<ControlPlane> inner_ = make_control_plane();
};

struct Job {
  Job(bool over_nccl, bool ends_late) : gradients(noted(over_nccl ? nccl(ends_late) : make_mpi_communicator(), log)) {}

  MpiEnvironment mpi;
  ActivityLog log;
  std::unique_ptr<ControlPlane> control = noted(make_control_plane(), log);
  std::unique_ptr<Communicator> gradients;
  Watch watch{
      log,
      {.timeout_seconds = kTimeout, .host = "box", .exit_code = kHang, .report = [this](const std::string& verdict) {
         std::fprintf(stderr, "rank %d reports: %s\n", mpi.rank(), verdict.c_str());
       }}};

  /// Its stand-in, whose collectives cannot be called back.
  std::unique_ptr<Communicator> nccl(bool ends_late) const {
    const auto library = std::make_shared<FakeNccl>();
    if (ends_late) library->during_abort = [] { std::this_thread::sleep_for(1h); };
    return make_nccl_communicator_over(library, *control, {.compute_stream = library->new_compute_stream()}, 1);
  }

  bool is_last() const { return mpi.rank() == mpi.world_size() - 1; }

  /// The last rank hangs by `hang` after bucket 0 of step 1, the others wait for bucket 1.
  void take_a_step(const std::function<void()>& hang) {
    std::vector<float> values(1000);
    Reducer reducer(*gradients, {{0, 400}, {400, 1000}}, values);
    log.phase("backward", Pace::kSteps);
    log.begin_step(1);
    reducer.mark_ready(0);
    if (is_last()) hang();
    reducer.mark_ready(1);
    reducer.finish();
    log.end_step();
  }

  void evaluate_for_a_long_time_on_rank_0() {
    log.phase("evaluating", Pace::kSteps);
    for (int batch = 0; mpi.rank() == 0 && batch < 25; ++batch) {
      std::this_thread::sleep_for(200ms);
      log.progress();
    }
    control->idle_barrier();
  }

  int finish() {
    watch.leave();
    gradients.reset();
    if (mpi.rank() == 0) std::printf("all is well\n");
    std::fflush(stdout);
    mpi.finalize();
    return EXIT_SUCCESS;
  }
};

/// This process stands still for longer than the timeout, as all others do: a laptop's lid was closed.
void suspend_in_a_while() {
  const pid_t job = getpid();
  if (fork() != 0) return;
  std::this_thread::sleep_for(2s);
  kill(job, SIGSTOP);
  std::this_thread::sleep_for(5s);
  kill(job, SIGCONT);
  _exit(0);
}

int run(const std::string& mode) {
  if (mode == "suspended") suspend_in_a_while();
  Job job(mode.ends_with("_over_nccl"), mode.starts_with("ends_late"));
  const auto stop = [] {
    std::this_thread::sleep_for(1s);  // until the others have heard of it
    raise(SIGSTOP);
  };
  if (mode == "computes" || mode == "computes_over_nccl") job.take_a_step(compute_forever);
  if (mode == "stopped" || mode == "stopped_over_nccl") job.take_a_step(stop);
  if (mode == "rank_0_stopped" && job.mpi.rank() == 0) stop();
  if (mode == "rank_0_stopped") job.control->idle_barrier();
  if (mode == "lost_message") noted(std::make_unique<StuckBarrier>(), job.log)->idle_barrier();
  if (mode == "evaluates") job.evaluate_for_a_long_time_on_rank_0();
  if (mode == "suspended") job.evaluate_for_a_long_time_on_rank_0();
  if (mode == "leaves_late" && job.is_last()) compute_forever();
  if (mode == "mpirun_stopped" && job.mpi.rank() == 0) kill(getppid(), SIGSTOP);
  if (mode == "mpirun_stopped") job.take_a_step(compute_forever);
  if (mode == "killed_among_the_deaf") {
    signal(SIGTERM, SIG_IGN);
    if (!job.is_last()) compute_forever();
    std::this_thread::sleep_for(500ms);
    raise(SIGKILL);
  }
  if (mode == "throws") throw std::runtime_error("out of memory");
  return job.finish();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "threw: %s\n", error.what());
    MpiEnvironment::abort_job(EXIT_FAILURE);
  }
}
