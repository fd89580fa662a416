// The heart of data parallelism: N ranks must train as one rank does, example for example, with dropout on. Every rank
// also runs the plain one-rank loop below - no sharing, no reducer - which the N-rank Trainer is compared with.
// Included once per program, which says on which devices, and over what gradients travel.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "data/sampler.h"
#include "dist/replica_check.h"
#include "launcher/batch_view.h"
#include "launcher/exit_codes.h"
#include "model/compute.h"
#include "tests/support/mpi_main.h"
#include "tests/support/require.h"
#include "tests/support/tiny_world.h"

namespace lockstep {

/// Where a rank of a test trains, and what its gradients travel over.
class Way {
 public:
  virtual ~Way() = default;
  virtual std::string device() const { return "cpu"; }
  /// Collective.
  virtual std::unique_ptr<dist::Communicator> connect(dist::ControlPlane& control,
                                                      const model::ComputeStream& stream) = 0;
  /// False while reductions are pending.
  virtual bool is_idle() const { return true; }
  /// After the communicator is gone.
  virtual void expect_no_misuse() const {}
};
/// Collective. Null if this machine lacks it.
using WayMaker = std::unique_ptr<Way> (*)();

namespace {

constexpr int64_t kSteps = 50;

std::unique_ptr<Way> way;
std::unique_ptr<Job> shared_job;
Job& job() {
  return *shared_job;
}

TrainOptions options_with(int64_t global_batch, int64_t accumulation = 1) {
  TrainOptions options;
  options.global_batch_size = global_batch;
  options.gradient_accumulation_steps = accumulation;
  options.max_steps = kSteps;
  options.max_seq_length = 48;
  options.learning_rate = 1e-3;
  options.weight_decay = 0.01;
  options.warmup_steps = 5;
  options.ddp_bucket_cap_mb = 0.01;  // several buckets even for this model
  return options;
}

model::DistilBert fresh_model(const tests::TinyWorld& world, const TrainOptions& options) {
  model::DistilBert model(tests::TinyWorld::config(), way->device(),
                          options.bf16 ? model::Precision::kBFloat16 : model::Precision::kFloat32);
  model::load_weights(model, world.model_folder(), 0);
  return model;
}

std::vector<float> parameters_of(const model::DistilBert& model) {
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  model.get_parameters(parameters);
  return parameters;
}

/// One rank, whole global batches, no communication.
std::vector<double> losses_of_one_rank(const tests::TinyWorld& world, const TrainingData& data,
                                       const TrainOptions& options) {
  model::DistilBert model = fresh_model(world, options);
  model::AdamW optimizer(model, {0.9, 0.999, 1e-8, options.weight_decay, options.max_grad_norm});
  const RunPlan plan = make_run_plan(options, data.train.size(), 1);
  std::vector<double> losses;
  model.zero_gradients();
  for (int64_t epoch = 0; losses.size() < kSteps; ++epoch) {
    const auto order = data::epoch_order(data.train_examples, options.seed, epoch);
    for (size_t begin = 0; begin < order.size() && losses.size() < kSteps; begin += plan.global_batch) {
      const auto members = std::span(order).subspan(begin, std::min<size_t>(plan.global_batch, order.size() - begin));
      const auto batch = data::pack(data.train, members, options.max_seq_length);
      const auto step = static_cast<int64_t>(losses.size());
      losses.push_back(
          model.forward_backward(view_of(batch), options.seed, step, 1.0 / static_cast<double>(members.size())) /
          static_cast<double>(members.size()));
      optimizer.step(plan.schedule.at(step));
    }
  }
  return losses;
}

struct Trained {
  std::vector<double> losses;
  std::vector<float> parameters;
};

Trained train(const tests::TinyWorld& world, const TrainingData& data, const TrainOptions& options) {
  model::DistilBert model = fresh_model(world, options);
  const RunPlan plan = make_run_plan(options, data.train.size(), job().world_size());
  const ThreadPlan threads{1, 1};
  RunHistory history({});
  Trainer trainer(options, plan, data, threads, job(), model, history);
  Trained trained;
  trainer.run([] {},
              [&](const StepStats& stats) {
                trained.losses.push_back(stats.loss);
                EXPECT_TRUE(way->is_idle());
                const auto parameters = parameters_of(model);
                dist::require_equal_replicas(job().control(), dist::digest_of(std::as_bytes(std::span(parameters))),
                                             "parameters");
              });
  trained.parameters = parameters_of(model);
  return trained;
}

class RankEquality : public testing::TestWithParam<WayMaker> {
 protected:
  void SetUp() override {
    model::set_compute_threads(1);
    way = GetParam()();
    LOCKSTEP_NEEDS("gpu", way != nullptr, "this host has fewer CUDA devices than ranks");
    shared_job = std::make_unique<Job>(tests::mpi());
    const auto stream = model::DistilBert(tests::TinyWorld::config(), way->device()).compute_stream();
    job().connect_gradients([&] { return way->connect(job().control(), stream); });
  }
  void TearDown() override {
    shared_job.reset();
    if (way != nullptr) way->expect_no_misuse();
    way.reset();
  }

  void expect_losses_of_one_rank(const TrainOptions& options, double tolerance = 1e-5) {
    const TrainingData data = world_.training_data();
    const std::vector<double> expected = losses_of_one_rank(world_, data, options);
    const std::vector<double> losses = train(world_, data, options).losses;
    ASSERT_EQ(losses.size(), expected.size());
    for (size_t step = 0; step < losses.size(); ++step)
      EXPECT_NEAR(losses[step], expected[step], tolerance * expected[step])
          << "step " << step << " of " << job().world_size() << " ranks";
  }

  tests::TinyWorld world_;
};

TEST_P(RankEquality, LossOfEveryStepIsThatOfOneRankWithDropoutOn) {
  expect_losses_of_one_rank(options_with(8));
}

TEST_P(RankEquality, ABatchOfTwoLeavesRanksWithoutExamples) {
  expect_losses_of_one_rank(options_with(2));
}

TEST_P(RankEquality, AccumulationDoesNotChangeTheLosses) {
  expect_losses_of_one_rank(options_with(8, 3));
}

TEST_P(RankEquality, HoldsInBFloat16) {
  TrainOptions options = options_with(8);
  options.bf16 = true;
  expect_losses_of_one_rank(options, 1e-4);  // some 1e-5: the errors of many roundings average out
}

TEST_P(RankEquality, GradientsThatTravelInBFloat16TrainNearlyAlike) {
  TrainOptions options = options_with(8);
  options.ddp_comm_hook = "bf16";
  expect_losses_of_one_rank(options, 1e-4);  // a gradient's roundings hardly move a loss
}

TEST_P(RankEquality, TheSameRunTwiceGivesTheSameBits) {
  const TrainingData data = world_.training_data();
  const Trained first = train(world_, data, options_with(8));
  const Trained second = train(world_, data, options_with(8));
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.parameters, second.parameters);
}

TEST_P(RankEquality, EvaluationByAllRanksGivesTheNumbersOfRankZero) {
  const TrainingData data = world_.training_data();
  TrainOptions options = options_with(8);
  options.eval_strategy = "steps";
  options.eval_steps = kSteps;
  options.per_device_eval_batch_size = 3;
  std::vector<EvalResult> results;
  for (const char* ranks : {"0", "all"}) {
    options.eval_ranks = ranks;
    model::DistilBert model = fresh_model(world_, options);
    const RunPlan plan = make_run_plan(options, data.train.size(), job().world_size());
    const ThreadPlan threads{1, 1};
    RunHistory history({});
    Trainer(options, plan, data, threads, job(), model, history).run([] {});
    results.push_back(history.evaluations().back().result);
  }
  EXPECT_EQ(results[0].confusion, results[1].confusion);
  EXPECT_EQ(results[0].examples(), data.eval.size());
  EXPECT_NEAR(results[0].loss, results[1].loss, 1e-9);  // sums of doubles in another order
}

TEST_P(RankEquality, ThroughputCountsTheTokensOfAllRanks) {
  const TrainingData data = world_.training_data();
  TrainOptions options = options_with(data.train.size());
  options.max_steps = 1;
  options.max_seq_length = 20;
  int64_t tokens = 0;
  for (int64_t i = 0; i < data.train.size(); ++i)
    tokens += std::min<int64_t>(20, std::ssize(data.train.ids(i)));
  model::DistilBert model = fresh_model(world_, options);
  const RunPlan plan = make_run_plan(options, data.train.size(), job().world_size());
  const ThreadPlan threads{1, 1};
  RunHistory history({});
  Trainer(options, plan, data, threads, job(), model, history).run([] {});
  const Throughput speed = history.training().back().per_second;
  EXPECT_NEAR(speed.tokens / speed.samples, static_cast<double>(tokens) / static_cast<double>(data.train.size()), 1e-9);
  EXPECT_GT(speed.flops, speed.tokens);
}

/// How far a run comes whose last rank, or whose first, wants to stop once `step` steps are done.
TrainSummary run_until(const tests::TinyWorld& world, const TrainOptions& options, int asking_rank, int64_t step,
                       RunHistory& history, int* published = nullptr) {
  const TrainingData data = world.training_data();
  model::DistilBert model = fresh_model(world, options);
  const RunPlan plan = make_run_plan(options, data.train.size(), job().world_size());
  const ThreadPlan threads{1, 1};
  int64_t done = 0;
  return Trainer(options, plan, data, threads, job(), model, history)
      .run([&] { published != nullptr && ++*published; }, [&](const StepStats& stats) { done = stats.step; },
           [&] { return job().rank() == asking_rank && done >= step; });
}

TEST_P(RankEquality, OneRanksRequestStopsAllAfterTheSameStep) {
  RunHistory history({});
  int published = 0;
  const TrainSummary summary = run_until(world_, options_with(8), job().world_size() - 1, 6, history, &published);
  EXPECT_EQ(summary.steps, 7);  // it was asked for in the seventh
  EXPECT_TRUE(summary.stopped_on_request);
  EXPECT_FALSE(summary.stopped_early);
  EXPECT_EQ(history.training().back().step, 7);
  EXPECT_EQ(published, job().is_main() ? 1 : 0);
}

TEST_P(RankEquality, AnEvaluationThatIsCutIsDroppedByAllRanks) {
  TrainOptions options = options_with(8);
  options.eval_strategy = "steps";
  options.eval_steps = 5;
  options.per_device_eval_batch_size = 1;
  for (const char* ranks : {"0", "all"}) {
    options.eval_ranks = ranks;
    RunHistory history({});
    int published = 0;
    const TrainSummary summary = run_until(world_, options, 0, 10, history, &published);
    EXPECT_EQ(summary.steps, 10) << ranks;
    EXPECT_TRUE(summary.stopped_on_request) << ranks;
    EXPECT_EQ(history.evaluations().size(), 1u) << ranks;
    EXPECT_EQ(published, job().is_main() ? 2 : 0) << "after the evaluation of step 5, and at the end";
  }
}

TEST_P(RankEquality, AStopKeepsTheBestModelIfThatIsWanted) {
  TrainOptions options = options_with(8);
  options.eval_strategy = "steps";
  options.eval_steps = 5;
  options.load_best_model_at_end = true;
  RunHistory history({});
  int published = 0;
  const TrainSummary summary = run_until(world_, options, 0, 6, history, &published);
  EXPECT_TRUE(summary.stopped_on_request);
  EXPECT_EQ(summary.best.step(), 5);
  EXPECT_EQ(published, job().is_main() ? 1 : 0);
}

TEST_P(RankEquality, ARequestInTheLastStepOfARunWithoutEvaluationsChangesNothing) {
  RunHistory history({});
  const TrainSummary summary = run_until(world_, options_with(8), 0, kSteps - 1, history);
  EXPECT_EQ(summary.steps, kSteps);
  EXPECT_FALSE(summary.stopped_on_request);
}

TEST_P(RankEquality, ANonFiniteLossStopsEveryRankAndNamesTheStep) {
  const TrainingData data = world_.training_data();
  TrainOptions options = options_with(8);
  options.learning_rate = 1e30;
  try {
    train(world_, data, options);
    FAIL() << "a learning rate of 1e30 did not diverge";
  } catch (const AgreedFailure& failure) {
    EXPECT_EQ(failure.failure().exit_code, kNumeric);
    EXPECT_NE(failure.failure().message.find("step "), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep
