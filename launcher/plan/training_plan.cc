#include "launcher/plan/training_plan.h"

#include <algorithm>
#include <cmath>

#include "model/parameter_layout.h"

namespace lockstep {

namespace {

/// Where the search for the last worthwhile doubling ends.
constexpr int64_t kMostGpus = 65536;

int64_t batch_on(const PlanInputs& inputs, int64_t gpus) {
  const int64_t batch = inputs.global_batch > 0 ? inputs.global_batch : inputs.per_device_batch * gpus;
  return std::min(batch, std::max<int64_t>(1, inputs.workload.examples));
}

/// The most that one GPU computes: an example is not divided.
double compute_seconds(const PlanInputs& inputs, int64_t gpus) {
  const double examples = static_cast<double>(batch_on(inputs, gpus)) / static_cast<double>(gpus);
  return inputs.seconds_per_step + std::max(1.0, examples) * inputs.seconds_per_example;
}

/// As GradientSync does it: all rows where more than half of them are touched.
double rows_that_travel(double touched, int64_t vocabulary) {
  return 2 * touched <= static_cast<double>(vocabulary) ? touched : static_cast<double>(vocabulary);
}

StepWork work_of(const PlanInputs& inputs, int64_t gpus, double touched) {
  const model::ParameterLayout layout = model::make_layout(inputs.model);
  StepWork work;
  work.compute = compute_seconds(inputs, gpus);
  const int64_t layers = layout.word_embeddings().offset;
  work.layer_bytes = static_cast<double>(layers) * inputs.bytes_per_element;
  // The cap counts elements as floats, in whatever they travel.
  work.layer_buckets = static_cast<int64_t>(std::ceil(static_cast<double>(layers) * 4 / inputs.bucket_cap_bytes));
  work.last_bytes = rows_that_travel(touched, inputs.model.vocab_size) * static_cast<double>(inputs.model.dim) *
                    inputs.bytes_per_element;
  return work;
}

double one_gpu_examples_per_second(const PlanInputs& inputs) {
  return static_cast<double>(batch_on(inputs, 1)) / compute_seconds(inputs, 1);
}

FabricPlan plan_for(const PlanInputs& inputs, const Fabric& fabric) {
  FabricPlan plan;
  plan.fabric = fabric;
  for (const int64_t gpus : inputs.gpus)
    plan.rows.push_back(plan_row(inputs, fabric, gpus));
  PlanRow last = plan_row(inputs, fabric, 1);
  for (int64_t gpus = 2; gpus <= kMostGpus; gpus *= 2) {
    const PlanRow row = plan_row(inputs, fabric, gpus);
    plan.next_doubling = last.epoch_seconds() / row.epoch_seconds();
    if (plan.next_doubling < kWorthwhileDoubling) break;
    last = row;
  }
  plan.pays_up_to = last.gpus;
  plan.steps_per_epoch = last.steps_per_epoch;
  return plan;
}

}  // namespace

PlanRow plan_row(const PlanInputs& inputs, const Fabric& fabric, int64_t gpus) {
  PlanRow row;
  row.gpus = gpus;
  row.batch = batch_on(inputs, gpus);
  row.steps_per_epoch = (inputs.workload.examples + row.batch - 1) / row.batch;
  row.touched_rows = touched_rows(inputs.workload, row.batch, inputs.model.vocab_size);
  Cluster cluster = inputs.cluster;
  cluster.node_rate = fabric.node_rate;
  const StepWork work = work_of(inputs, gpus, row.touched_rows);
  row.bytes = gpus == 1 ? 0 : work.layer_bytes + work.last_bytes;
  row.step = cost_of_step(cluster, gpus, work);
  row.examples_per_second = static_cast<double>(row.batch) / row.step.seconds();
  row.efficiency = row.examples_per_second / static_cast<double>(gpus) / one_gpu_examples_per_second(inputs);
  return row;
}

std::vector<FabricPlan> plan_training(const PlanInputs& inputs) {
  std::vector<FabricPlan> plans;
  for (const Fabric& fabric : inputs.fabrics)
    plans.push_back(plan_for(inputs, fabric));
  return plans;
}

model::DistilBertConfig config_of_size(double parameters) {
  const auto of_width = [](int64_t dim) {
    model::DistilBertConfig config;
    config.dim = dim;
    config.hidden_dim = 4 * dim;
    return config;
  };
  const auto size_at = [&](int64_t dim) { return static_cast<double>(model::make_layout(of_width(dim)).size); };
  int64_t low = 1, high = 2;
  while (size_at(high) < parameters)
    high *= 2;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (size_at(middle) <= parameters ? low : high) = middle;
  }
  return of_width(low);
}

}  // namespace lockstep
