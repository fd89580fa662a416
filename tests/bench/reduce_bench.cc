// All-reduce over the job's ranks, on the host: one reduction after another, nothing else going on.
//
//     mpirun -np 2 --bind-to none build/check/bin/reduce_bench
#include <benchmark/benchmark.h>

#include <vector>

#include "dist/communicator.h"
#include "dist/mpi_environment.h"

namespace lockstep::dist {
namespace {

std::unique_ptr<Communicator> communicator;  // main()'s

/// Bytes are those of the gradient, which algorithms send up to twice.
template <class Value>
void all_reduce(benchmark::State& state) {
  std::vector<Value> gradient(static_cast<size_t>(state.range(0)) * 1024 / sizeof(Value));
  for (auto _ : state) {
    communicator->start_all_reduce_sum(std::span<Value>(gradient));
    communicator->wait();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 1024);
}
// Iterations are fixed, since all ranks have to take part in each.
BENCHMARK(all_reduce<float>)->ArgName("KiB")->RangeMultiplier(16)->Range(4, 65536)->Iterations(20)->UseRealTime();
BENCHMARK(all_reduce<BFloat16>)->ArgName("KiB")->RangeMultiplier(16)->Range(4, 65536)->Iterations(20)->UseRealTime();

/// Rank 0 speaks for all.
class Silence : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

void run(MpiEnvironment& mpi) {
  communicator = make_mpi_communicator();
  Silence silence;
  if (mpi.rank() == 0)
    benchmark::RunSpecifiedBenchmarks();
  else
    benchmark::RunSpecifiedBenchmarks(&silence);
  communicator->barrier();
  communicator.reset();
}

}  // namespace
}  // namespace lockstep::dist

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  lockstep::dist::MpiEnvironment mpi;
  lockstep::dist::run(mpi);
  mpi.finalize();
}
