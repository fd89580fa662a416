// A Trainer's evaluations: when, by whom, and what follows from them.
#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <system_error>

#include "launcher/errors.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/loop/advice.h"
#include "launcher/loop/trainer.h"
#include "launcher/replicas.h"
#include "model/compute.h"

namespace lockstep {

namespace {

/// Collective. Each rank's cells have a place of their own in what is added up.
model::ConfusionMatrix sum_over_ranks(Job& job, const model::ConfusionMatrix& own) {
  std::vector<int64_t> sizes(static_cast<size_t>(job.world_size()));
  sizes[job.rank()] = std::ssize(own.cells());
  sizes = job.control().sum(std::move(sizes));
  std::vector<int64_t> cells(2 * std::accumulate(sizes.begin(), sizes.end(), int64_t{0}));
  auto place = cells.begin() + 2 * std::accumulate(sizes.begin(), sizes.begin() + job.rank(), int64_t{0});
  for (const auto& [cell, count] : own.cells())
    place = std::ranges::copy(std::array{cell, count}, place).out;
  cells = job.control().sum(std::move(cells));
  model::ConfusionMatrix sum(own.classes());
  for (size_t i = 0; i < cells.size(); i += 2)
    sum.add_to(cells[i], cells[i + 1]);
  return sum;
}

}  // namespace

bool Trainer::evaluation_is_due(bool end_of_epoch) const {
  if (data_.eval_examples.empty()) return false;
  if (options_.eval_strategy == "epoch") return end_of_epoch || step_ == plan_.total_steps;
  return options_.eval_strategy == "steps" && (step_ % options_.eval_steps == 0 || step_ == plan_.total_steps);
}

bool Trainer::evaluation_is_missing() const {
  const auto& done = history_.evaluations();
  return step_ > 0 && step_ == first_step_ && evaluation_is_due(step_ % plan_.steps_per_epoch == 0) &&
         (evaluates_anew_ || done.empty() || done.back().step != step_);
}

void Trainer::evaluate(const ModelPublisher& publish) {
  progress_.pause();
  // Else only steps tell that all ranks have written their parts, and there is none for a while.
  if (saver_ != nullptr) saver_->hear(job_.control().sum(std::vector<double>{saver_->vote()}).front());
  enter("evaluating");
  require_equal_parameters(job_, model_, "parameters");
  const std::optional<EvalResult> evaluation = run_evaluation();
  stopping_ = !evaluation;
  failpoint("evaluated");
  if (stopping_) return progress_.resume();
  const EvalResult& result = *evaluation;
  job_.activity().phase("logging", dist::Pace::kOpen);
  history_.add(EvalRecord{step_, plan_.epoch_at(step_), since_evaluation_.loss(), result});
  if (job_.is_main())
    log_info(
        formatted("epoch %.2f, step %lld: training loss %.4f | eval loss %.4f, precision %.4f, recall %.4f, F1 %.4f, "
                  "accuracy %.4f (%s)",
                  plan_.epoch_at(step_), static_cast<long long>(step_), since_evaluation_.loss(), result.loss,
                  result.metrics.precision, result.metrics.recall, result.metrics.f1, result.metrics.accuracy,
                  format_duration(result.seconds).c_str()));
  since_evaluation_ = {};
  if (job_.is_main()) give_new_advice();
  const BestModel::State before = best_.state();
  const bool best = best_.observe(result, step_, plan_.epoch_at(step_));
  publish_evaluated(publish, best || !options_.load_best_model_at_end, before);
  progress_.resume();
}

void Trainer::publish_model(const ModelPublisher& publish) {
  job_.activity().phase("publishing", dist::Pace::kOpen);
  failpoint("publishing");
  publish();
  published_step_ = step_;
  failpoint("published");
}

void Trainer::publish_evaluated(const ModelPublisher& publish, bool is_wanted, const BestModel::State& before) {
  std::string problem;
  try {
    if (job_.is_main() && is_wanted) publish_model(publish);
  } catch (const std::system_error& error) {
    problem = error.what();
  }
  job_.control().idle_barrier();  // no reduction is pending while rank 0 writes
  problem = job_.control().broadcast(problem, 0);
  if (problem.empty()) return;
  if (job_.is_main())
    log_warning(formatted("the model of step %lld is not in --output_dir: ", static_cast<long long>(step_)) + problem);
  if (!options_.load_best_model_at_end) return;  // the end of the run tries again
  best_.lose(step_, before);
}

void Trainer::give_new_advice() {
  for (const Advice& advice : advise(history_.training(), history_.evaluations(), model_.config().num_labels()))
    if (advice_given_.emplace(advice.topic, step_).second) log_warning(advice.text);
}

std::vector<std::string> Trainer::advice_to_repeat() const {
  std::vector<std::string> texts;
  for (const Advice& advice : advise(history_.training(), history_.evaluations(), model_.config().num_labels())) {
    const auto given = advice_given_.find(advice.topic);
    if (given == advice_given_.end() || given->second < step_) texts.push_back(advice.text);
  }
  return texts;
}

EvalCounts Trainer::evaluate_share(int evaluating_ranks, bool& is_cut) {
  // Ranks that only wait leave their cores to the one that evaluates.
  if (evaluating_ranks == 1) model::set_compute_threads(threads_.when_others_wait);
  const auto examples = static_cast<int64_t>(data_.eval_examples.size());
  Progress progress(progress_style_, "evaluating", examples, "examples");
  const Trace::Span span(trace_, "evaluation");
  EvalCounts counts = evaluate_part(
      model_, data_.eval, data_.eval_examples,
      {options_.per_device_eval_batch_size, options_.max_seq_length, job_.rank(), evaluating_ranks}, [&](int64_t done) {
        failpoint("evaluating");
        job_.activity().progress();
        progress.update(std::min(done * evaluating_ranks, examples));
        return !(is_cut = asked_to_stop());
      });
  model::set_compute_threads(threads_.per_rank);
  return counts;
}

/// Nothing if it was left because of a request to stop.
std::optional<EvalResult> Trainer::run_evaluation() {
  const int evaluating_ranks = options_.eval_ranks == "all" ? job_.world_size() : 1;
  EvalCounts counts{0, model::ConfusionMatrix(model_.config().num_labels())};
  bool is_cut = false, is_without_numbers = false;
  const auto start = std::chrono::steady_clock::now();
  if (job_.rank() < evaluating_ranks) {
    try {
      counts = evaluate_share(evaluating_ranks, is_cut);
    } catch (const NumericError&) {
      is_without_numbers = true;
    }
  }
  {
    const Trace::Span span(trace_, "wait for the evaluation");
    job_.control().idle_barrier();
  }
  const std::vector<double> sums =
      job_.control().sum(std::vector<double>{counts.loss_sum, is_cut ? 1.0 : 0.0, is_without_numbers ? 1.0 : 0.0});
  if (sums[2] > 0) refuse_evaluation();
  if (sums[1] > 0) return std::nullopt;
  counts.loss_sum = sums[0];
  counts.confusion = sum_over_ranks(job_, counts.confusion);
  return result_of(counts, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace lockstep
