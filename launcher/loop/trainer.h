#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/sharded_dataset.h"
#include "launcher/checkpoint/ledger.h"
#include "launcher/checkpoint/saver.h"
#include "launcher/evaluator.h"
#include "launcher/job/job.h"
#include "launcher/job/progress.h"
#include "launcher/loop/best_model.h"
#include "launcher/loop/gradient_sync.h"
#include "launcher/loop/run_history.h"
#include "launcher/loop/slow_network.h"
#include "launcher/loop/stragglers.h"
#include "launcher/loop/trace.h"
#include "launcher/machine.h"
#include "launcher/run_plan.h"
#include "launcher/train_options.h"
#include "model/optimizer.h"

namespace lockstep {

/// What a run trains and evaluates on. `eval_examples` is empty when nothing is evaluated.
struct TrainingData {
  data::ShardedDataset train;
  std::vector<int64_t> train_examples;
  data::ShardedDataset eval;
  std::vector<int64_t> eval_examples;
};

/// One optimizer step as every rank knows it.
struct StepStats {
  int64_t step = 0;  // from 1: steps done
  int64_t examples = 0;
  int64_t tokens = 0;
  double flops = 0;                                             // forward and backward of all ranks' examples
  double loss = 0;                                              // mean over the global batch
  double grad_norm = std::numeric_limits<double>::quiet_NaN();  // until it is known
  double learning_rate = 0;
  double seconds = 0;                // that it took until the sums were there, on the slowest rank
  double exposed_seconds = 0;        // that it stood still for gradients on their way; mean over ranks
  double network_seconds = 0;        // likewise, on the rank that did so shortest: it waited for no other rank
  std::vector<double> rank_seconds;  // every rank's own time for it, without waiting for others
};

struct TrainSummary {
  int64_t steps = 0;
  double train_loss = 0;  // mean over all examples seen
  double train_seconds = 0;
  Throughput per_second;
  bool stopped_early = false;       // no better evaluation came
  bool stopped_on_request = false;  // before the end; in that case also before an evaluation that was due
  BestModel best{"loss", 0, 0};
  std::vector<std::string> advice;  // given in mid-run, worth repeating at the end with the last numbers
  double exposed_seconds = 0;       // mean over steps; 0 with one rank
  SaveCounts saves;
};

/// Called on every rank after each step.
using StepObserver = std::function<void(const StepStats&)>;
/// Called on rank 0 when the model's present weights are the ones that the run would deliver if it ended now.
using ModelPublisher = std::function<void()>;
/// Asked on every rank in every step, and between the batches of an evaluation: whether to stop. Ranks may answer
/// differently: one yes stops all, after the same step.
using StopQuestion = std::function<bool()>;

/// On rank 0, for a checkpoint: the text of Hugging Face's trainer_state.json.
using StateDescriber = std::function<std::string(const TrainSummary&)>;

/// The training loop of one rank. Ranks differ only in their share of each global batch, and in who evaluates.
class Trainer {
 public:
  /// Collective. All references must outlive it.
  Trainer(const TrainOptions& options, const RunPlan& plan, const TrainingData& data, const ThreadPlan& threads,
          Job& job, model::DistilBert& model, RunHistory& history);

  /// Goes on where a checkpoint of the same plan is, rather than at the start; `history`: its records. The best model
  /// is forgotten if the checkpoint does not hold it, or evaluations were on other examples. Every rank, before run().
  void restore(const CheckpointManifest& manifest, const FlatState& state, std::string_view history);
  bool has_best() const { return best_.any(); }
  /// Writes checkpoints as --save_strategy says, and one when the run ends or is asked to stop. Before run(), which
  /// `saver` must outlive.
  void save_with(CheckpointSaver& saver, const StateDescriber& describe = {});

  /// Collective. Trains to the end of the plan, or until early stopping, or until it is asked to stop: then it drops an
  /// evaluation that is not finished, and publishes what the run would deliver.
  TrainSummary run(const ModelPublisher& publish, const StepObserver& after_step = {},
                   const StopQuestion& stop_requested = {});

 private:
  void train_epoch(const ModelPublisher& publish, const StepObserver& after_step);
  TrainSummary finish(const ModelPublisher& publish);
  StepStats train_step(std::span<const int64_t> global_batch);
  /// What is known of a step before it is done; `work`: of each example.
  StepStats planned(std::span<const int64_t> global_batch, const std::vector<double>& work) const;
  /// Collective. Fills in what all ranks know together, and hears whether one was asked to stop. Returns the sum of the
  /// saver's votes.
  double add_up(double local_loss, double own_seconds, StepStats& stats);
  /// Withheld where the loss is not a number.
  void update(const StepStats& stats);
  /// Collective. Throws AgreedFailure that names the step, and the ranks and examples that NaN or infinity came from.
  [[noreturn]] void refuse_step(const StepStats& stats, std::span<const int64_t> share);
  /// Collective. Likewise where the model answers NaN in an evaluation.
  [[noreturn]] void refuse_evaluation();
  std::vector<int64_t> examples_without_numbers(std::span<const int64_t> share);
  std::string words_on_what_is_left() const;
  /// Of the reduced gradients, which are the same on all ranks.
  double gradient_norm();
  std::vector<double> work_of(std::span<const int64_t> examples) const;
  int64_t length_of(int64_t example) const;
  double forward_backward(std::span<const int64_t> share, double gradient_scale);
  void announce(std::span<const int64_t> global_batch);
  void finish_reductions();
  ProgressDetails progress_details(const StepStats& stats) const;
  void observe(const StepStats& stats);
  void log_last_step();
  void close_epoch();
  static void take_times(const std::vector<double>& own, const std::vector<double>& exposed, StepStats& stats);
  /// Collective. Tells of ranks and of a network that keep the others waiting.
  void look_for_waits(const StepStats& stats);
  void warn_of(const Stragglers::Straggler& straggler) const;
  void warn_of(const SlowNetwork::Finding& network);
  std::string words_on_network();
  void evaluate(const ModelPublisher& publish);
  void publish_model(const ModelPublisher& publish);
  /// Collective. What publish_model() throws when the disk does not take the model is a warning here: `before` is what
  /// was the best then, and is again.
  void publish_evaluated(const ModelPublisher& publish, bool is_wanted, const BestModel::State& before);
  /// Notes what this rank does from now on, for the case that it hangs.
  void enter(std::string_view phase);
  std::optional<EvalResult> run_evaluation();
  /// This rank's part. `is_cut` is set if it was left because of a request to stop.
  EvalCounts evaluate_share(int evaluating_ranks, bool& is_cut);
  bool goes_on() const { return step_ < plan_.total_steps && !best_.should_stop() && !stopping_; }
  bool asked_to_stop() const { return stop_requested_ && stop_requested_(); }
  void give_new_advice();
  std::vector<std::string> advice_to_repeat() const;
  bool evaluation_is_due(bool end_of_epoch) const;
  /// Whether the training was stopped before an evaluation that was due where it goes on now, or what was found there
  /// does not count any more.
  bool evaluation_is_missing() const;
  void save_if_due(bool end_of_epoch);
  void forget_best(const char* why);
  TrainingPlace place(const Ledger& ledger) const;
  /// "" if it did not fail.
  std::string failed_save_words() const;
  Ledger ledger_of_all_ranks();
  /// Throws AgreedFailure unless the epoch that ends has trained each example exactly once.
  Ledger close_ledger();
  nlohmann::json state() const;
  TrainSummary summary() const;

  const TrainOptions& options_;
  const RunPlan& plan_;
  const TrainingData& data_;
  const ThreadPlan& threads_;
  Job& job_;
  model::DistilBert& model_;
  RunHistory& history_;
  model::AdamW optimizer_;
  GradientSync sync_;
  Trace trace_;
  BestModel best_;
  const ProgressStyle progress_style_;
  Progress progress_;
  StopQuestion stop_requested_;
  bool stopping_ = false;        // agreed by all ranks
  int64_t step_ = 0;             // steps done
  int64_t first_step_ = 0;       // steps done when this process began
  bool evaluates_anew_ = false;  // on other examples than before the checkpoint
  int64_t published_step_ = -1;  // of the model that this process published last; rank 0's
  Ledger ledger_;                // of this rank, in the present epoch; rank 0's with what a checkpoint brought
  CheckpointSaver* saver_ = nullptr;
  StateDescriber describe_;
  StepStats last_;
  Stragglers stragglers_;
  SlowNetwork slow_network_;
  std::vector<std::string> hosts_;                      // of all ranks
  std::vector<int> first_ranks_ = first_ranks(hosts_);  // one on each host

  /// Sums over the steps that go into one record.
  struct Window {
    double began = 0;  // seconds of training before it
    int64_t steps = 0, examples = 0, tokens = 0;
    double loss_sum = 0, flops = 0, exposed_sum = 0, network_sum = 0;

    void add(const StepStats& stats);
    double loss() const { return loss_sum / static_cast<double>(std::max<int64_t>(examples, 1)); }
    double exposed_seconds() const { return exposed_sum / static_cast<double>(std::max<int64_t>(steps, 1)); }
    double network_seconds() const { return network_sum / static_cast<double>(std::max<int64_t>(steps, 1)); }
    nlohmann::json to_json() const;
    void restore(const nlohmann::json& text);
  };
  Throughput per_second(const Window& window) const;
  Window since_log_, since_epoch_, since_evaluation_, in_all_;
  double smoothed_loss_ = 0;
  std::map<std::string, int64_t> advice_given_;  // topic -> step
};

}  // namespace lockstep
