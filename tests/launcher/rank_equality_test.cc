// On the CPU, over MPI, and over NCCL's communicator on a stand-in of the library, whose device memory is the host's.
#include "tests/launcher/rank_equality.h"

#include "tests/dist/fake_nccl.h"

namespace lockstep {
namespace {

class MpiWay final : public Way {
 public:
  std::unique_ptr<dist::Communicator> connect(dist::ControlPlane&, const model::ComputeStream&) override {
    return dist::make_mpi_communicator();
  }
};

class FakeNcclWay final : public Way {
 public:
  std::unique_ptr<dist::Communicator> connect(dist::ControlPlane& control, const model::ComputeStream&) override {
    return dist::make_nccl_communicator_over(nccl_, control, {.compute_stream = nccl_->new_compute_stream()});
  }
  bool is_idle() const override { return nccl_->is_idle(); }
  void expect_no_misuse() const override {
    EXPECT_EQ(nccl_->misuse, std::vector<std::string>{});
    EXPECT_EQ(nccl_->live_handles(), 0);
  }

 private:
  const std::shared_ptr<dist::FakeNccl> nccl_ = std::make_shared<dist::FakeNccl>();
};

template <class T>
std::unique_ptr<Way> make() {
  return std::make_unique<T>();
}

INSTANTIATE_TEST_SUITE_P(Mpi, RankEquality, testing::Values(make<MpiWay>));
INSTANTIATE_TEST_SUITE_P(FakeNccl, RankEquality, testing::Values(make<FakeNcclWay>));

}  // namespace
}  // namespace lockstep
