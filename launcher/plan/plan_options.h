#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/plan/training_plan.h"

namespace lockstep {

/// What `lockstep plan` is told.
struct PlanOptions {
  std::string model_name_or_path;    // "": DistilBERT's shape
  std::optional<double> parameters;  // instead of a model
  std::string dataset;               // "": texts like IMDB's
  std::string train_split = "train";
  int max_seq_length = 512;
  int64_t per_device_train_batch_size = 8;
  int64_t global_batch_size = 0;
  std::vector<int64_t> gpus = {8, 64, 512, 4096};
  int gpus_per_node = 8;
  std::vector<std::string> fabrics = {"8x400G", "1x400G", "1x100G"};
  std::optional<double> bandwidth_gbit;  // of a node, measured; instead of fabrics
  std::optional<double> latency_us;      // between nodes
  double nvlink_gbyte = 400;             // per second
  std::optional<double> step_ms;
  double tflops = 450;
  std::optional<double> overhead_ms;
  double ddp_bucket_cap_mb = 25;
  std::string ddp_comm_hook = "no";
  bool json = false;
};

/// Throws UsageError or HelpRequested.
PlanOptions parse_plan_options(const std::vector<std::string>& arguments);

/// "8x400G", "400G" or "400": so many adapters of so many Gbit/s, of which nine tenths arrive. Throws UsageError.
Fabric fabric_of(const std::string& text);
/// The networks that `options` name, or the measured one.
std::vector<Fabric> fabrics_of(const PlanOptions& options);
/// GPUs of a node, its rate inside, and latencies; the rate between nodes is a fabric's.
Cluster cluster_of(const PlanOptions& options);

/// Sets the time of computation from a measured step, or from `arithmetic` operations an example at --tflops.
void set_computation(PlanInputs& inputs, const PlanOptions& options, double arithmetic);

}  // namespace lockstep
