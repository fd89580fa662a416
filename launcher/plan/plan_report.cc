#include "launcher/plan/plan_report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "launcher/cli/printable_text.h"
#include "launcher/format.h"
#include "model/parameter_layout.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

const char* const kDisclaimer = "By a model, not measured (docs/guide/clusters.md): ";

/// 66 955 010
std::string with_blanks(int64_t number) {
  std::string text = std::to_string(number);
  for (auto place = static_cast<int64_t>(text.size()) - 3; place > 0; place -= 3)
    text.insert(static_cast<size_t>(place), 1, ' ');
  return text;
}

std::string assumptions(const PlanInputs& inputs) {
  const model::ParameterLayout layout = model::make_layout(inputs.model);
  const Workload& data = inputs.workload;
  std::string text = std::string(kDisclaimer) + "all figures below\n\n" +
                     formatted("Model        %s parameters, of which %s word embeddings\n",
                               with_blanks(layout.size).c_str(), with_blanks(layout.word_embeddings().size).c_str()) +
                     formatted("Data         %s: %s examples, %.1f tokens each, %.1f GFLOP forward and backward\n",
                               printable_text(data.name).c_str(), with_blanks(data.examples).c_str(), data.mean_length,
                               arithmetic_per_example(inputs.model, data) / 1e9);
  text += formatted("Computation  %.4g ms per example on one GPU, and %.4g ms per step; %s\n",
                    inputs.seconds_per_example * 1e3, inputs.seconds_per_step * 1e3, inputs.computation.c_str());
  text += "Nodes        " + counted(inputs.cluster.gpus_per_node, "GPU");
  if (inputs.cluster.gpus_per_node > 1)
    text += formatted(", %.4g GB/s from one to another", inputs.cluster.local_rate / 1e9);
  return text + formatted("; %.4g us between nodes\n", inputs.cluster.latencies.network * 1e6);
}

std::string line_of(const PlanRow& row) {
  return formatted("%7lld %8lld %11lld %9.1f %10.2f %11.2f %9.2f %9.0f %% %11s %11.4f\n",
                   static_cast<long long>(row.gpus), static_cast<long long>(row.batch),
                   static_cast<long long>(row.steps_per_epoch), row.bytes / 1e6, row.step.reduction * 1e3,
                   row.step.exposed * 1e3, row.step.seconds() * 1e3, 100 * row.efficiency,
                   with_blanks(std::llround(row.examples_per_second)).c_str(), row.epoch_seconds());
}

std::string advice_on(const FabricPlan& plan) {
  const std::string gpus = counted(plan.pays_up_to, "GPU");
  const auto steps = static_cast<long long>(plan.steps_per_epoch);
  if (plan.next_doubling >= kWorthwhileDoubling)
    return formatted("Every doubling up to %s (steps per epoch: %lld) makes an epoch at least %.1f x as fast.\n",
                     gpus.c_str(), steps, kWorthwhileDoubling);
  return formatted("Pays up to %s (steps per epoch: %lld): twice as many make an epoch %.2f x as fast.\n", gpus.c_str(),
                   steps, plan.next_doubling);
}

std::string table_of(const FabricPlan& plan) {
  std::string text = formatted("\nNetwork %s: %.4g GB/s of a node\n", printable_text(plan.fabric.name).c_str(),
                               plan.fabric.node_rate / 1e9);
  text += formatted("%7s %8s %11s %9s %10s %11s %9s %11s %11s %11s\n", "GPUs", "batch", "steps/epoch", "sent MB",
                    "reduce ms", "exposed ms", "step ms", "efficiency", "examples/s", "epoch s");
  for (const PlanRow& row : plan.rows)
    text += line_of(row);
  return text + advice_on(plan);
}

Json json_of(const PlanRow& row) {
  return {{"gpus", row.gpus},
          {"global_batch_size", row.batch},
          {"steps_per_epoch", row.steps_per_epoch},
          {"touched_rows", row.touched_rows},
          {"sent_bytes", row.bytes},
          {"compute_seconds", row.step.compute},
          {"reduction_seconds", row.step.reduction},
          {"exposed_seconds", row.step.exposed},
          {"step_seconds", row.step.seconds()},
          {"efficiency", row.efficiency},
          {"examples_per_second", row.examples_per_second},
          {"epoch_seconds", row.epoch_seconds()}};
}

/// The sizes that tests/bench/reduce_bench measures, and the whole gradient.
Json all_reduces(const PlanInputs& inputs, const FabricPlan& plan, int64_t gpus) {
  std::vector<double> sizes = {4096, 1 << 14, 1 << 18, 1 << 22, 1 << 26};
  sizes.push_back(static_cast<double>(model::make_layout(inputs.model).size) * inputs.bytes_per_element);
  Cluster cluster = inputs.cluster;
  cluster.node_rate = plan.fabric.node_rate;
  Json list = Json::array();
  for (const double bytes : sizes)
    list.push_back({{"bytes", bytes},
                    {"ring_seconds", all_reduce_seconds(cluster, gpus, bytes, Algorithm::kRing)},
                    {"tree_seconds", all_reduce_seconds(cluster, gpus, bytes, Algorithm::kTree)}});
  return list;
}

Json json_of(const PlanInputs& inputs, const FabricPlan& plan) {
  Json rows = Json::array();
  for (const PlanRow& row : plan.rows) {
    rows.push_back(json_of(row));
    rows.back()["all_reduce"] = all_reduces(inputs, plan, row.gpus);
  }
  return {{"name", plan.fabric.name},
          {"node_bytes_per_second", plan.fabric.node_rate},
          {"pays_up_to_gpus", plan.pays_up_to},
          {"steps_per_epoch_there", plan.steps_per_epoch},
          {"next_doubling", plan.next_doubling},
          {"rows", rows}};
}

}  // namespace

std::string plan_text(const PlanInputs& inputs, const std::vector<FabricPlan>& plans) {
  std::string text = assumptions(inputs);
  for (const FabricPlan& plan : plans)
    text += table_of(plan);
  return text;
}

std::string plan_json(const PlanInputs& inputs, const std::vector<FabricPlan>& plans) {
  const Workload& data = inputs.workload;
  Json fabrics = Json::array();
  for (const FabricPlan& plan : plans)
    fabrics.push_back(json_of(inputs, plan));
  const Json json = {{"source", "a model, not measured"},
                     {"parameters", model::make_layout(inputs.model).size},
                     {"word_embedding_rows", inputs.model.vocab_size},
                     {"examples", data.examples},
                     {"tokens_per_example", data.mean_length},
                     {"flop_per_example", arithmetic_per_example(inputs.model, data)},
                     {"seconds_per_example", inputs.seconds_per_example},
                     {"seconds_per_step", inputs.seconds_per_step},
                     {"gpus_per_node", inputs.cluster.gpus_per_node},
                     {"local_bytes_per_second", inputs.cluster.local_rate},
                     {"network_latency_seconds", inputs.cluster.latencies.network},
                     {"overlap", kOverlap},
                     {"fabrics", fabrics}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lockstep
