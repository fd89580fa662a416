#include "launcher/plan/training_plan.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "data/distinct_ids.h"
#include "launcher/errors.h"
#include "launcher/plan/plan_options.h"
#include "launcher/plan/plan_report.h"
#include "model/parameter_layout.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

// ---- data -----------------------------------------------------------------------------------------------------------

TEST(TouchedRows, AreExpectedOfARandomBatchWithoutRepetition) {
  Workload workload{"four examples", 4, 5, 25, {{1, 2}, {3, 1}}};  // two words in one example each, one word in three
  EXPECT_NEAR(touched_rows(workload, 1, 100), 2 * 0.25 + 0.75, 1e-12);
  EXPECT_NEAR(touched_rows(workload, 2, 100), 2 * 0.5 + 1, 1e-12);
  EXPECT_NEAR(touched_rows(workload, 4, 100), 3, 1e-12);
  EXPECT_NEAR(touched_rows(workload, 1000, 100), 3, 1e-12);
}

TEST(TouchedRows, WithoutDataAreWhatWasCountedInImdb) {
  const Workload imdb = imdb_workload();
  // Single random batches, counted in Python.
  const std::map<int64_t, double> rows = {{16, 1335},    {32, 2211},    {128, 5420},     {512, 10759},
                                          {1024, 14053}, {8192, 22594}, {1 << 20, 25040}};
  for (const auto& [batch, counted] : rows)
    EXPECT_NEAR(touched_rows(imdb, batch, 30522), counted, 0.02 * counted) << batch;
  EXPECT_EQ(touched_rows(imdb, 1 << 20, 1000), 1000);
}

TEST(TouchedRows, WithoutDataGrowWithTheBatch) {
  double before = 0;
  for (int64_t batch = 1; batch <= 16384; batch *= 2) {
    const double rows = touched_rows(imdb_workload(), batch, 30522);
    EXPECT_GT(rows, before) << batch;
    before = rows;
  }
}

class CountedWorkload : public testing::Test {
 protected:
  static constexpr int kMaxLength = 20;
  std::vector<int32_t> ids_of(int64_t example) const { return data::pack(dataset_, {&example, 1}, kMaxLength).ids; }

  tests::TinyWorld world_;
  data::ShardedDataset dataset_ = data::ShardedDataset::open(world_.dataset_folder(), "train");
  Workload workload_ = workload_of(dataset_, kMaxLength);
};

TEST_F(CountedWorkload, HasTheLengthsOfTheCutExamples) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < dataset_.size(); ++i) {
    const auto length = static_cast<double>(ids_of(i).size());
    sum += length, squares += length * length;
  }
  const auto examples = static_cast<double>(dataset_.size());
  EXPECT_EQ(workload_.examples, dataset_.size());
  EXPECT_NEAR(workload_.mean_length, sum / examples, 1e-9);
  EXPECT_NEAR(workload_.mean_square_of_length, squares / examples, 1e-9);
}

TEST_F(CountedWorkload, TouchesTheRowsOfItsExamples) {
  double words_of_one = 0;
  std::vector<int32_t> all;
  for (int64_t i = 0; i < dataset_.size(); ++i) {
    const std::vector<int32_t> ids = ids_of(i);
    words_of_one += static_cast<double>(data::distinct_ids(ids).size()) / static_cast<double>(dataset_.size());
    all.insert(all.end(), ids.begin(), ids.end());
  }
  EXPECT_NEAR(touched_rows(workload_, 1, 160), words_of_one, 1e-9);
  EXPECT_NEAR(touched_rows(workload_, dataset_.size(), 160), static_cast<double>(data::distinct_ids(all).size()), 1e-9);
}

TEST(Arithmetic, IsTheMeanOverTheExamples) {
  const model::DistilBertConfig config = tests::TinyWorld::config();
  const Workload workload{"lengths 10 and 40", 2, 25, (100 + 1600) / 2.0, {}};
  EXPECT_NEAR(arithmetic_per_example(config, workload),
              3 * (model::arithmetic_of(config, 10) + model::arithmetic_of(config, 40)) / 2, 1);
  EXPECT_NEAR(arithmetic_per_example({}, imdb_workload()) / 1e9, 64.8, 0.05);
}

// ---- options --------------------------------------------------------------------------------------------------------

std::string mistake_in(const Words& arguments) {
  try {
    parse_plan_options(arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UsageError";
  return "";
}

TEST(PlanOptions, AFabricIsAdaptersTimesRate) {
  EXPECT_DOUBLE_EQ(fabric_of("8x400G").node_rate, 360e9);
  EXPECT_DOUBLE_EQ(fabric_of("400G").node_rate, 45e9);
  EXPECT_DOUBLE_EQ(fabric_of("1x100").node_rate, 11.25e9);
  EXPECT_DOUBLE_EQ(fabric_of("0.2").node_rate, 0.0225e9);
}

TEST(PlanOptions, WhatIsNoFabricIsExplained) {
  for (const char* text : {"", "x", "8x", "8xG", "fast", "0x100G", "8x-1", "8x400GB", "1x100G "})
    EXPECT_THROW(fabric_of(text), UsageError) << text;
  EXPECT_THAT(mistake_in({"--fabric", "8x400G,fast"}), HasSubstr("such as 8x400G"));
}

TEST(PlanOptions, AMeasuredRateIsTakenWhole) {
  const PlanOptions options = parse_plan_options({"--bandwidth_gbit", "8", "--latency_us", "50"});
  ASSERT_EQ(fabrics_of(options).size(), 1);
  EXPECT_DOUBLE_EQ(fabrics_of(options)[0].node_rate, 1e9);
  EXPECT_DOUBLE_EQ(cluster_of(options).latencies.network, 50e-6);
}

TEST(PlanOptions, ListsAreSeparatedByCommas) {
  const PlanOptions options = parse_plan_options({"--gpus", "1,2,24", "--fabric", "1x25G,4x200G"});
  EXPECT_THAT(options.gpus, testing::ElementsAre(1, 2, 24));
  EXPECT_EQ(fabrics_of(options).size(), 2);
}

TEST(PlanOptions, OnlyOneOfTwoKindsIsTaken) {
  EXPECT_THAT(mistake_in({"--bandwidth_gbit", "8", "--fabric", "1x25G"}), HasSubstr("excludes"));
  EXPECT_THAT(mistake_in({"--parameters", "1e8", "--model_name_or_path", "x"}), HasSubstr("excludes"));
  EXPECT_THAT(mistake_in({"--step_ms", "5", "--overhead_ms", "5"}), HasSubstr("--overhead_ms is a part of --step_ms"));
}

PlanInputs inputs_for(const Words& arguments) {
  const PlanOptions options = parse_plan_options(arguments);
  PlanInputs inputs;
  inputs.workload = imdb_workload();
  inputs.per_device_batch = options.per_device_train_batch_size;
  inputs.global_batch = options.global_batch_size;
  inputs.cluster = cluster_of(options);
  inputs.fabrics = fabrics_of(options);
  inputs.gpus = options.gpus;
  set_computation(inputs, options, arithmetic_per_example(inputs.model, inputs.workload));
  return inputs;
}

TEST(PlanText, SaysWhatItsComputationIsOf) {
  const auto text = [](const Words& arguments) {
    const PlanInputs inputs = inputs_for(arguments);
    return plan_text(inputs, plan_training(inputs));
  };
  EXPECT_THAT(text({}), HasSubstr("estimated for 450 TFLOP/s, an H200 with --bf16\nNodes        8 GPUs,"));
  EXPECT_THAT(text({"--step_ms", "50", "--gpus_per_node", "1"}), HasSubstr("; as measured\nNodes        1 GPU;"));
}

TEST(PlanRows, ABatchHasNoMoreThanAllExamples) {
  const PlanInputs inputs = inputs_for({"--gpus", "4096", "--fabric", "8x400G"});
  const PlanRow row = plan_row(inputs, inputs.fabrics[0], 4096);
  EXPECT_EQ(row.batch, 25000);
  EXPECT_EQ(row.steps_per_epoch, 1);
}

TEST(PlanOptions, AMeasuredStepIsDividedAmongItsExamples) {
  const PlanInputs inputs =
      inputs_for({"--step_ms", "10", "--per_device_train_batch_size", "16", "--overhead_ms", "2"});
  EXPECT_DOUBLE_EQ(inputs.seconds_per_step, 2e-3);
  EXPECT_DOUBLE_EQ(inputs.seconds_per_example, 0.5e-3);
}

// ---- plan -----------------------------------------------------------------------------------------------------------

PlanRow first_row(const Words& arguments) {
  return plan_training(inputs_for(arguments)).at(0).rows.at(0);
}

TEST(TrainingPlan, OneGpuSendsNothing) {
  const PlanRow row = first_row({"--gpus", "1", "--step_ms", "10"});
  EXPECT_EQ(row.bytes, 0);
  EXPECT_DOUBLE_EQ(row.step.seconds(), 10e-3);
  EXPECT_DOUBLE_EQ(row.efficiency, 1);
  EXPECT_EQ(row.steps_per_epoch, 3125);
}

TEST(TrainingPlan, SendsTheLayersAndTheTouchedRows) {
  const PlanRow row = first_row({"--gpus", "8", "--per_device_train_batch_size", "16"});
  EXPECT_EQ(row.batch, 128);
  EXPECT_NEAR(row.bytes, (66955010 - 30522 * 768 + row.touched_rows * 768) * 4, 1);
  EXPECT_NEAR(row.bytes / 1e6, 191, 1);
}

TEST(TrainingPlan, SendsTheWholeTableIfMoreThanHalfOfItIsTouched) {
  const PlanRow row = first_row({"--gpus", "8", "--per_device_train_batch_size", "1024"});
  EXPECT_GT(2 * row.touched_rows, 30522);
  EXPECT_DOUBLE_EQ(row.bytes, 66955010 * 4.0);
}

TEST(TrainingPlan, AGlobalBatchIsDividedAmongTheGpus) {
  const PlanInputs inputs = inputs_for({"--step_ms", "8", "--global_batch_size", "64"});  // 8 examples
  EXPECT_DOUBLE_EQ(plan_row(inputs, {"", 1e9}, 4).step.compute, 16e-3);
  EXPECT_DOUBLE_EQ(plan_row(inputs, {"", 1e9}, 1000).step.compute, 1e-3);  // no example is divided
}

TEST(TrainingPlan, StopsPayingWhereTheNetworkIsTheLimit) {
  const std::vector<FabricPlan> plans = plan_training(inputs_for({"--per_device_train_batch_size", "16"}));
  ASSERT_EQ(plans.size(), 3);
  EXPECT_GT(plans[0].pays_up_to, 256);
  EXPECT_EQ(plans[2].pays_up_to, 8);
  EXPECT_LT(plans[2].next_doubling, kWorthwhileDoubling);
}

TEST(TrainingPlan, NeverPaysBeyondTheExamples) {
  PlanInputs inputs = inputs_for({"--per_device_train_batch_size", "16", "--fabric", "8x400G"});
  inputs.workload.examples = 3000;
  EXPECT_LE(plan_training(inputs)[0].pays_up_to, 256);
}

TEST(TrainingPlan, ANumberOfParametersMakesAModelOfThatSize) {
  EXPECT_EQ(config_of_size(66955010).dim, 768);
  EXPECT_NEAR(static_cast<double>(model::make_layout(config_of_size(1e9)).size), 1e9, 3e6);
}

// ---- report ---------------------------------------------------------------------------------------------------------

TEST(PlanReport, SaysThatItIsAModel) {
  const PlanInputs inputs = inputs_for({});
  EXPECT_THAT(plan_text(inputs, plan_training(inputs)), HasSubstr("By a model, not measured"));
  EXPECT_EQ(nlohmann::json::parse(plan_json(inputs, plan_training(inputs)))["source"], "a model, not measured");
}

TEST(PlanReport, JsonHasEveryRowInSecondsAndBytes) {
  const PlanInputs inputs = inputs_for({"--gpus", "8,16", "--fabric", "1x100G"});
  const PlanRow row = plan_training(inputs)[0].rows[1];
  const auto json = nlohmann::json::parse(plan_json(inputs, plan_training(inputs)));
  ASSERT_EQ(json["fabrics"][0]["rows"].size(), 2);
  const auto& written = json["fabrics"][0]["rows"][1];
  EXPECT_EQ(written["gpus"], 16);
  EXPECT_EQ(written["step_seconds"], row.step.seconds());
  EXPECT_EQ(written["sent_bytes"], row.bytes);
  EXPECT_EQ(written["all_reduce"].back()["bytes"], 66955010 * 4.0);
}

}  // namespace
}  // namespace lockstep
