#include "launcher/plan/plan_options.h"

#include <cstdio>

#include "launcher/cli/command_line.h"
#include "launcher/cli/option_values.h"
#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

/// Of the nominal rate of network adapters, what an all-reduce gets.
constexpr double kUsableRate = 0.9;
/// Milliseconds of a step on an H200 that do not depend on its examples: the optimizer's pass over 66 M parameters, the
/// gradient's norm, launches.
constexpr double kOverheadMs = 1.2;

const char* const kPlanFooter = R"(
Examples:
  lockstep plan
      DistilBERT on texts like IMDB's, 8 per GPU, on three kinds of network
  lockstep plan --model_name_or_path MODEL --dataset datasets/tickets \
      --per_device_train_batch_size 32 --gpus 1,2,4,8,16 --fabric 1x100G
      the rows of word embeddings that travel are counted in your data
  lockstep plan --global_batch_size 256 --gpus 1,2,4,8,16,32
      the same training on more and more GPUs: where does it stop paying?
  lockstep plan --gpus_per_node 1 --gpus 1,2,3 --step_ms 1900 \
      --bandwidth_gbit 9.4 --latency_us 45
      hosts without GPUs, and a network that you have measured

All figures come from a model: nothing is measured, no GPU or network touched.
docs/guide/clusters.md has its formulas and their sources.

Columns of the table:
  batch         examples of a step, over all GPUs
  steps/epoch   few steps teach little, however fast they are
  sent MB       gradient that is reduced: all layers, and of the word embeddings
                the rows that the batch touches (all, if those are over half)
  reduce ms     all-reduces, one after another
  exposed ms    of that, what a step waits for; the rest hides beside backward
  step ms       computation, and what is exposed
  efficiency    examples a second and GPU, relative to one GPU alone

Exit codes: 0 done; 2 usage; 3 model and data do not fit; 4 damaged input.)";

void add_work_options(CLI::App& app, PlanOptions& o) {
  const auto group = "Model and data";
  CLI::Option* model = app.add_option("--model_name_or_path", o.model_name_or_path,
                                      "Model whose config.json says its shape; without it distilbert-base-uncased's");
  model->check(filled("a folder or a name"))->group(group);
  app.add_option("--parameters", o.parameters, "Instead: DistilBERT, as wide as makes so many parameters")
      ->group(group)
      ->type_name("N")
      ->check(number(1e6, 1e11))
      ->excludes(model);
  app.add_option(
         "--dataset", o.dataset,
         "Folder that `lockstep prepare` wrote, to count lengths and words in; without it, IMDB's 25 000 reviews")
      ->check(filled("a folder"))
      ->group(group);
  app.add_option("--train_split", o.train_split, "Split to train on")->check(filled("a split"))->group(group);
  app.add_option("--max_seq_length", o.max_seq_length, "With --dataset: longer examples lose their end")
      ->group(group)
      ->check(whole_number(2, 1 << 20));
  app.add_option("--per_device_train_batch_size", o.per_device_train_batch_size, "Examples per GPU and step")
      ->group(group)
      ->check(whole_number(1, 1000000));
  app.add_option("--global_batch_size", o.global_batch_size,
                 "Examples per step over all GPUs, however many; 0: per device x GPUs")
      ->group(group)
      ->check(whole_number(0, 1000000000));
}

void add_cluster_options(CLI::App& app, PlanOptions& o) {
  const auto group = "Cluster";
  app.add_option("--gpus", o.gpus, "Numbers of GPUs (or ranks), separated by commas")
      ->group(group)
      ->delimiter(',')
      ->type_name("LIST")
      ->default_str("8,64,512,4096")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(whole_number(1, 1 << 20));
  app.add_option("--gpus_per_node", o.gpus_per_node, "GPUs (or ranks) of a node")
      ->group(group)
      ->check(whole_number(1, 1024));
  CLI::Option* fabric =
      app.add_option("--fabric", o.fabrics,
                     "Networks between nodes, separated by commas: adapters of a node x Gbit/s of each, of which nine "
                     "tenths are taken to arrive");
  fabric->group(group)
      ->delimiter(',')
      ->type_name("LIST")
      ->default_str("8x400G,1x400G,1x100G")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--bandwidth_gbit", o.bandwidth_gbit, "Instead: Gbit/s that a node was measured to send and receive")
      ->group(group)
      ->type_name("G")
      ->check(number(1e-6, 1e6))
      ->excludes(fabric);
  app.add_option("--latency_us", o.latency_us, "Measured microseconds of a small message between nodes; else NCCL's 14")
      ->group(group)
      ->type_name("L")
      ->check(number(0.0, 1e7));
  app.add_option("--nvlink_gbyte", o.nvlink_gbyte, "GB/s of a GPU to the others of its node")
      ->group(group)
      ->check(number(1e-3, 1e6));
}

void add_computation_options(CLI::App& app, PlanOptions& o) {
  const auto group = "Computation";
  app.add_option("--step_ms", o.step_ms,
                 "Measured milliseconds of a step of --per_device_train_batch_size examples on one GPU (or rank)")
      ->group(group)
      ->type_name("T")
      ->check(number(1e-6, 1e9));
  app.add_option("--tflops", o.tflops,
                 "Without --step_ms: rate of forward and backward; 450: an H200 in bf16, estimated")
      ->group(group)
      ->check(number(1e-6, 1e6));
  app.add_option("--overhead_ms", o.overhead_ms,
                 "Of a step, what does not depend on its examples; without it 1.2, with --step_ms 0")
      ->group(group)
      ->type_name("T")
      ->check(number(0.0, 1e9));
}

void add_gradient_options(CLI::App& app, PlanOptions& o) {
  const auto group = "Gradients, as in train";
  app.add_option("--ddp_bucket_cap_mb", o.ddp_bucket_cap_mb, "Size of the layers' buckets, MiB")
      ->group(group)
      ->check(number(1e-3, 1e6));
  app.add_option("--ddp_comm_hook", o.ddp_comm_hook, "bf16: gradients are rounded to it to travel")
      ->group(group)
      ->check(one_of({"no", "bf16"}));
}

}  // namespace

PlanOptions parse_plan_options(const std::vector<std::string>& arguments) {
  PlanOptions o;
  const auto app =
      make_app("lockstep plan",
               "What a training costs on a number of GPUs, by a model: steps, seconds, and\nhow much of them "
               "gradients take.",
               kPlanFooter);
  add_work_options(*app, o);
  add_cluster_options(*app, o);
  add_computation_options(*app, o);
  add_gradient_options(*app, o);
  app->add_flag("--json", o.json, "For programs: all figures, in bytes and seconds")->group("Output");
  parse_command_line(*app, arguments);
  if (o.step_ms && o.overhead_ms && *o.overhead_ms >= *o.step_ms)
    throw UsageError("--overhead_ms is a part of --step_ms, and must be less");
  fabrics_of(o);
  return o;
}

Fabric fabric_of(const std::string& text) {
  int adapters = 1, read = 0;
  double gbit = 0;
  if (text.find('x') != std::string::npos && std::sscanf(text.c_str(), "%5dx%n", &adapters, &read) != 1) read = -1;
  int end = 0;
  const bool is_read = read >= 0 && std::sscanf(text.c_str() + read, "%lf%n", &gbit, &end) == 1;
  const std::string rest = is_read ? text.substr(static_cast<size_t>(read) + static_cast<size_t>(end)) : text;
  if (!is_read || !(rest.empty() || rest == "G") || adapters < 1 || !(gbit > 0 && gbit <= 1e6))
    throw UsageError("--fabric " + text + ": expected adapters x Gbit/s, such as 8x400G, 1x100G or 25");
  return {text, kUsableRate * adapters * gbit * 1e9 / 8};
}

std::vector<Fabric> fabrics_of(const PlanOptions& options) {
  if (options.bandwidth_gbit) return {{"as measured", *options.bandwidth_gbit * 1e9 / 8}};
  std::vector<Fabric> fabrics;
  for (const std::string& text : options.fabrics)
    fabrics.push_back(fabric_of(text));
  return fabrics;
}

Cluster cluster_of(const PlanOptions& options) {
  Cluster cluster;
  cluster.gpus_per_node = options.gpus_per_node;
  cluster.local_rate = options.nvlink_gbyte * 1e9;
  if (options.latency_us) cluster.latencies.network = *options.latency_us * 1e-6;
  return cluster;
}

void set_computation(PlanInputs& inputs, const PlanOptions& options, double arithmetic) {
  inputs.seconds_per_step = options.overhead_ms.value_or(options.step_ms ? 0 : kOverheadMs) * 1e-3;
  inputs.seconds_per_example = options.step_ms ? (*options.step_ms * 1e-3 - inputs.seconds_per_step) /
                                                     static_cast<double>(options.per_device_train_batch_size)
                                               : arithmetic / (options.tflops * 1e12);
  inputs.computation = options.step_ms ? "as measured" : formatted("estimated for %.4g TFLOP/s", options.tflops);
  if (!options.step_ms && options.tflops == PlanOptions().tflops) inputs.computation += ", an H200 with --bf16";
}

}  // namespace lockstep
