#include "tests/dist/backend.h"

#include <gtest/gtest.h>

#include <limits>
#include <list>

#include "tests/dist/fake_nccl.h"

namespace lockstep::dist {
namespace {

class MpiBackend final : public Backend {
 public:
  Communicator& communicator() override { return *communicator_; }
  std::span<float> produce(const std::vector<float>& values) override { return memory_.emplace_back(values); }
  std::vector<float> consume(std::span<const float> memory) override { return {memory.begin(), memory.end()}; }

 private:
  std::list<std::vector<float>> memory_;
  std::unique_ptr<Communicator> communicator_ = make_mpi_communicator();
};

class FakeNcclBackend final : public Backend {
 public:
  ~FakeNcclBackend() override {
    communicator_.reset();
    EXPECT_EQ(nccl_->misuse, std::vector<std::string>{});
    EXPECT_EQ(nccl_->live_handles(), 0);
  }

  Communicator& communicator() override { return *communicator_; }

  std::span<float> produce(const std::vector<float>& values) override {
    auto& memory = memory_.emplace_back(values.size(), std::numeric_limits<float>::quiet_NaN());
    nccl_->queue(compute_stream_, [&memory, values] { memory = values; });
    return memory;
  }

  std::vector<float> consume(std::span<const float> memory) override {
    std::vector<float> values;
    nccl_->queue(compute_stream_, [&values, memory] { values.assign(memory.begin(), memory.end()); });
    nccl_->synchronize(compute_stream_);
    return values;
  }

 private:
  std::list<std::vector<float>> memory_;
  std::unique_ptr<ControlPlane> control_ = make_control_plane();
  std::shared_ptr<FakeNccl> nccl_ = std::make_shared<FakeNccl>();
  void* compute_stream_ = nccl_->new_compute_stream();
  std::unique_ptr<Communicator> communicator_ =
      make_nccl_communicator_over(nccl_, *control_, {.compute_stream = compute_stream_});
};

}  // namespace

std::unique_ptr<Backend> make_mpi_backend() {
  return std::make_unique<MpiBackend>();
}

std::unique_ptr<Backend> make_fake_nccl_backend() {
  return std::make_unique<FakeNcclBackend>();
}

}  // namespace lockstep::dist
