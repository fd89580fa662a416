#pragma once

#include <string>
#include <vector>

#include "launcher/plan/cost_model.h"
#include "launcher/plan/workload.h"
#include "model/config.h"

namespace lockstep {

// From a model, its data and a kind of cluster to what training costs at each number of GPUs. Pure arithmetic on top of
// cost_model.h, with its units.

/// A network between nodes, with its name in tables.
struct Fabric {
  std::string name;
  double node_rate = 0;  // bytes per second of a node, each way
};

struct PlanInputs {
  model::DistilBertConfig model;
  Workload workload;
  int64_t per_device_batch = 8;
  int64_t global_batch = 0;        // 0: per_device_batch x GPUs
  double seconds_per_example = 0;  // of computation on one GPU
  double seconds_per_step = 0;     // of computation besides, however few the examples
  std::string computation;         // where these come from: "as measured"
  double bytes_per_element = 4;    // of gradients that travel
  double bucket_cap_bytes = 25 << 20;
  Cluster cluster;  // its node_rate is each fabric's
  std::vector<Fabric> fabrics;
  std::vector<int64_t> gpus;
};

/// Training on one number of GPUs.
struct PlanRow {
  int64_t gpus = 0;
  int64_t batch = 0;  // global
  int64_t steps_per_epoch = 0;
  double touched_rows = 0;  // expected, of the word embeddings
  double bytes = 0;         // of gradient, as they travel
  StepCost step;
  double examples_per_second = 0;
  double efficiency = 0;  // examples per second and GPU, relative to one GPU alone
  double epoch_seconds() const { return static_cast<double>(steps_per_epoch) * step.seconds(); }
};

struct FabricPlan {
  Fabric fabric;
  std::vector<PlanRow> rows;    // by PlanInputs::gpus
  int64_t pays_up_to = 1;       // doubling the GPUs from 1 on, the last number with which an epoch became 1.5 x as fast
  int64_t steps_per_epoch = 0;  // with so many
  double next_doubling = 1;     // how many times as fast it becomes with twice as many
};

/// What makes a doubling worth it.
inline constexpr double kWorthwhileDoubling = 1.5;

PlanRow plan_row(const PlanInputs& inputs, const Fabric& fabric, int64_t gpus);
/// By PlanInputs::fabrics.
std::vector<FabricPlan> plan_training(const PlanInputs& inputs);

/// DistilBERT's shape, but as wide as makes about `parameters` of them (1e6 to 1e11).
model::DistilBertConfig config_of_size(double parameters);

}  // namespace lockstep
