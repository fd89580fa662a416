// No reduction is pending while rank 0 works alone: a GPU would spin for it, and a time-out might strike.
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "tests/support/mpi_main.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

using namespace std::chrono_literals;
using dist::Clock;
using dist::TimeSpan;

/// Notes from when to when reductions were pending.
class Witness final : public dist::Communicator {
 public:
  explicit Witness(std::vector<TimeSpan>& pending) : pending_(pending) {}
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }
  std::string description() const override { return inner_->description(); }
  bool takes_device_memory() const override { return inner_->takes_device_memory(); }
  void start_all_reduce_sum(std::span<float> values) override {
    if (!is_pending_) begin_ = Clock::now();
    is_pending_ = true;
    inner_->start_all_reduce_sum(values);
  }
  void start_all_reduce_sum(std::span<dist::BFloat16> values) override { inner_->start_all_reduce_sum(values); }
  dist::ReductionTimes wait() override {
    auto times = inner_->wait();
    pending_.push_back({begin_, Clock::now()});
    is_pending_ = false;
    return times;
  }
  void barrier() override { inner_->barrier(); }
  void abort(int exit_code, double deadline_seconds) noexcept override { inner_->abort(exit_code, deadline_seconds); }

 private:
  std::vector<TimeSpan>& pending_;
  const std::unique_ptr<dist::Communicator> inner_ = dist::make_mpi_communicator();
  bool is_pending_ = false;
  Clock::time_point begin_;
};

/// Rank 0 gets all ranks' spans; their clock is the host's.
std::vector<TimeSpan> gather(dist::ControlPlane& control, const std::vector<TimeSpan>& mine) {
  std::ostringstream text;
  for (const TimeSpan& span : mine)
    text << span.begin.time_since_epoch().count() << ' ' << span.end.time_since_epoch().count() << ' ';
  std::vector<TimeSpan> all;
  for (const std::string& one : control.gather(text.str())) {
    std::istringstream numbers(one);
    for (Clock::rep begin = 0, end = 0; numbers >> begin >> end;)
      all.push_back({Clock::time_point(Clock::duration(begin)), Clock::time_point(Clock::duration(end))});
  }
  return all;
}

TEST(PendingReductions, AreNoneWhileRankZeroWrites) {
  const tests::TinyWorld world;
  const TrainingData data = world.training_data();
  std::vector<TimeSpan> pending, alone;
  Job job(tests::mpi());
  job.connect_gradients([&] { return std::make_unique<Witness>(pending); });
  TrainOptions options;
  options.max_steps = 4;
  options.max_seq_length = 48;
  options.eval_strategy = "steps";
  options.eval_steps = 1;
  const RunPlan plan = make_run_plan(options, data.train.size(), job.world_size());
  const ThreadPlan threads{1, 1};
  model::DistilBert model(tests::TinyWorld::config(), "cpu");
  model::load_weights(model, world.model_folder(), 0);
  RunHistory history({});
  Trainer(options, plan, data, threads, job, model, history).run([&] {
    const auto begin = Clock::now();
    std::this_thread::sleep_for(50ms);
    alone.push_back({begin, Clock::now()});
  });
  for (const TimeSpan& reduction : gather(job.control(), pending))
    for (const TimeSpan& work : alone)
      EXPECT_TRUE(reduction.end < work.begin || work.end < reduction.begin);
  EXPECT_EQ(pending.size(), job.world_size() > 1 ? 4U : 0U);
  EXPECT_EQ(alone.size(), job.is_main() ? 4U : 0U);
}

}  // namespace
}  // namespace lockstep
