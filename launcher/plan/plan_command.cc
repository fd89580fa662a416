#include "launcher/plan/plan_command.h"

#include <cstdio>

#include "launcher/errors.h"
#include "launcher/find_model_folder.h"
#include "launcher/plan/plan_options.h"
#include "launcher/plan/plan_report.h"
#include "launcher/plan/training_plan.h"

namespace lockstep {

namespace {

model::DistilBertConfig shape_of(const PlanOptions& options) {
  if (options.parameters) return config_of_size(*options.parameters);
  if (options.model_name_or_path.empty()) return {};
  return model::load_config(find_model_folder(options.model_name_or_path));
}

Workload workload_for(const PlanOptions& options, const model::DistilBertConfig& config) {
  if (options.dataset.empty()) return imdb_workload();
  const auto dataset = data::ShardedDataset::open(options.dataset, options.train_split);
  if (dataset.manifest().vocabulary_size > config.vocab_size)
    throw SettingsError("the data set's vocabulary has " + std::to_string(dataset.manifest().vocabulary_size) +
                        " tokens, but the model embeds only " + std::to_string(config.vocab_size) +
                        "; name the model that it was prepared for with --model_name_or_path");
  return workload_of(dataset, options.max_seq_length);
}

PlanInputs inputs_of(const PlanOptions& options) {
  PlanInputs inputs;
  inputs.model = shape_of(options);
  inputs.workload = workload_for(options, inputs.model);
  inputs.per_device_batch = options.per_device_train_batch_size;
  inputs.global_batch = options.global_batch_size;
  inputs.bytes_per_element = options.ddp_comm_hook == "bf16" ? 2 : 4;
  inputs.bucket_cap_bytes = options.ddp_bucket_cap_mb * (1 << 20);
  inputs.cluster = cluster_of(options);
  inputs.fabrics = fabrics_of(options);
  inputs.gpus = options.gpus;
  set_computation(inputs, options, arithmetic_per_example(inputs.model, inputs.workload));
  return inputs;
}

}  // namespace

int plan_command(const std::vector<std::string>& arguments) {
  const PlanOptions options = parse_plan_options(arguments);
  const PlanInputs inputs = inputs_of(options);
  const std::vector<FabricPlan> plans = plan_training(inputs);
  std::fputs((options.json ? plan_json(inputs, plans) : plan_text(inputs, plans)).c_str(), stdout);
  return kDone;
}

}  // namespace lockstep
