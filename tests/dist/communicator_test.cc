// The contract over the backends that need no device. Runs under mpirun at several world sizes.
#include "tests/dist/communicator_contract.h"

namespace lockstep::dist {
namespace {

const auto kMpi = testing::Values(make_mpi_backend);
const auto kFakeNccl = testing::Values(make_fake_nccl_backend);
INSTANTIATE_TEST_SUITE_P(Mpi, AllReduce, kMpi);
INSTANTIATE_TEST_SUITE_P(FakeNccl, AllReduce, kFakeNccl);
INSTANTIATE_TEST_SUITE_P(Mpi, AllReduceBFloat16, kMpi);
INSTANTIATE_TEST_SUITE_P(FakeNccl, AllReduceBFloat16, kFakeNccl);
INSTANTIATE_TEST_SUITE_P(Mpi, Discipline, kMpi);
INSTANTIATE_TEST_SUITE_P(FakeNccl, Discipline, kFakeNccl);

INSTANTIATE_TEST_SUITE_P(Mpi, ReducerOverRanks, testing::Combine(kMpi, kShapes));
INSTANTIATE_TEST_SUITE_P(FakeNccl, ReducerOverRanks, testing::Combine(kFakeNccl, kShapes));

}  // namespace
}  // namespace lockstep::dist
