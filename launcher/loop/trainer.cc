#include "launcher/loop/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>

#include "data/distinct_ids.h"
#include "data/sampler.h"
#include "launcher/batch_view.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/job/log.h"

namespace lockstep {

namespace {

model::AdamWOptions adamw_options(const TrainOptions& options) {
  return {options.adam_beta1, options.adam_beta2, options.adam_epsilon, options.weight_decay, options.max_grad_norm};
}

std::vector<std::string> hosts_of_all(Job& job) {
  const std::vector<std::string> gathered = job.control().gather(job.environment().host());
  return nlohmann::json::parse(job.control().broadcast(nlohmann::json(gathered).dump(), 0));
}

ProgressStyle style_for(const TrainOptions& options, const Job& job) {
  if (!job.is_main()) return ProgressStyle::kNone;
  return options.disable_tqdm ? ProgressStyle::kLines : detect_progress_style();
}

}  // namespace

void Trainer::Window::add(const StepStats& stats) {
  ++steps;
  examples += stats.examples;
  tokens += stats.tokens;
  loss_sum += stats.loss * static_cast<double>(stats.examples);
  flops += stats.flops;
  exposed_sum += stats.exposed_seconds;
  network_sum += stats.network_seconds;
}

Throughput Trainer::per_second(const Window& window) const {
  const double seconds = std::max(progress_.seconds() - window.began, 1e-9);
  const double peak = model_.peak_flops() * job_.world_size();
  return {static_cast<double>(window.examples) / seconds, static_cast<double>(window.tokens) / seconds,
          window.flops / seconds, peak > 0 ? window.flops / seconds / peak : 0, window.exposed_sum / seconds};
}

Trainer::Trainer(const TrainOptions& options, const RunPlan& plan, const TrainingData& data, const ThreadPlan& threads,
                 Job& job, model::DistilBert& model, RunHistory& history)
    : options_(options),
      plan_(plan),
      data_(data),
      threads_(threads),
      job_(job),
      model_(model),
      history_(history),
      optimizer_(model, adamw_options(options)),
      sync_(model, job.gradients(), {options.ddp_bucket_cap_mb, options.ddp_comm_hook == "bf16"}),
      trace_(job, std::filesystem::path(options.output_dir) / "profile.json", options.profile),
      best_(options.metric_for_best_model, options.early_stopping_patience, options.early_stopping_threshold),
      progress_style_(style_for(options, job)),
      progress_(progress_style_, "training", plan.total_steps, "steps"),
      hosts_(hosts_of_all(job)) {}

TrainSummary Trainer::run(const ModelPublisher& publish, const StepObserver& after_step,
                          const StopQuestion& stop_requested) {
  stop_requested_ = stop_requested;
  model_.zero_gradients();
  if (!best_.should_stop() && evaluation_is_missing()) {
    evaluate(publish);
    if (stopping_) save_if_due(false);  // the checkpoint that it goes on from may be in another folder
  }
  while (goes_on())
    train_epoch(publish, after_step);
  return finish(publish);
}

/// The rest of an epoch, or what of it is trained before the training ends.
void Trainer::train_epoch(const ModelPublisher& publish, const StepObserver& after_step) {
  const auto order = data::epoch_order(data_.train_examples, options_.seed, step_ / plan_.steps_per_epoch);
  auto begin = static_cast<size_t>(step_ % plan_.steps_per_epoch * plan_.global_batch);
  for (; begin < order.size() && goes_on(); begin += plan_.global_batch) {
    const size_t size = std::min<size_t>(plan_.global_batch, order.size() - begin);
    const StepStats stats = train_step(std::span(order).subspan(begin, size));
    observe(stats);
    if (after_step) after_step(stats);
    const bool ends_epoch = begin + size == order.size();
    if (ends_epoch) close_epoch();
    if (ends_epoch) failpoint("epoch-end");
    if (!stopping_ && evaluation_is_due(ends_epoch)) evaluate(publish);
    save_if_due(ends_epoch);
  }
}

TrainSummary Trainer::finish(const ModelPublisher& publish) {
  if (since_log_.examples > 0) log_last_step();
  const bool is_cut = stopping_ && (step_ < plan_.total_steps || evaluation_is_due(true));
  const bool keeps_best = options_.load_best_model_at_end && best_.any();
  if (job_.is_main() && !keeps_best && published_step_ != step_) publish_model(publish);
  trace_.finish();
  TrainSummary result = summary();
  result.stopped_early = !is_cut && step_ < plan_.total_steps;
  result.stopped_on_request = is_cut;
  return result;
}

StepStats Trainer::train_step(std::span<const int64_t> global_batch) {
  const auto began = std::chrono::steady_clock::now();
  failpoint("step");
  trace_.begin_step(step_ + 1 - first_step_);
  job_.activity().begin_step(step_ + 1);
  const Trace::Span whole(trace_, "step " + std::to_string(step_ + 1));
  announce(global_batch);
  const std::vector<double> work = work_of(global_batch);
  StepStats stats = planned(global_batch, work);
  const auto share = data::share_of_rank(global_batch, work, job_.rank(), job_.world_size());
  const double local_loss = forward_backward(share, 1.0 / static_cast<double>(stats.examples));
  const std::chrono::duration<double> own_time = std::chrono::steady_clock::now() - began;
  finish_reductions();
  const double votes = add_up(local_loss, own_time.count(), stats);
  update(stats);
  if (!std::isfinite(stats.loss) || !std::isfinite(stats.grad_norm)) refuse_step(stats, share);
  stats.step = ++step_;
  failpoint("step-done");
  job_.activity().end_step();
  if (saver_ != nullptr) saver_->hear(votes);
  return stats;
}

StepStats Trainer::planned(std::span<const int64_t> global_batch, const std::vector<double>& work) const {
  StepStats stats;
  stats.examples = static_cast<int64_t>(global_batch.size());
  stats.learning_rate = plan_.schedule.at(step_);
  stats.flops = 3 * std::accumulate(work.begin(), work.end(), 0.0);  // backward is two products for forward's one
  for (const int64_t example : global_batch)
    stats.tokens += length_of(example);
  return stats;
}

double Trainer::add_up(double local_loss, double own_seconds, StepStats& stats) {
  enum : size_t { kLoss, kStop, kVotes, kNorm, kTimes };  // the times: own ones of each rank, then exposed ones
  const auto ranks = static_cast<size_t>(job_.world_size()), rank = static_cast<size_t>(job_.rank());
  std::vector<double> sums(kTimes + 2 * ranks);
  sums[kLoss] = local_loss;
  sums[kStop] = asked_to_stop() ? 1 : 0;
  sums[kVotes] = saver_ != nullptr ? saver_->vote() : 0;
  sums[kNorm] = job_.is_main() ? gradient_norm() : 0;
  sums[kTimes + rank] = own_seconds;
  sums[kTimes + ranks + rank] = sync_.exposed_seconds();
  sums = job_.control().sum(std::move(sums));
  const auto exposed = sums.begin() + static_cast<std::ptrdiff_t>(kTimes + ranks);
  take_times({sums.begin() + kTimes, exposed}, {exposed, sums.end()}, stats);
  stats.loss = sums[kLoss] / static_cast<double>(stats.examples);
  stats.grad_norm = sums[kNorm];
  stopping_ = sums[kStop] > 0;
  return sums[kVotes];
}

void Trainer::update(const StepStats& stats) {
  enter("optimizer");
  failpoint("optimizer");
  const Trace::Span span(trace_, "optimizer");
  if (std::isfinite(stats.loss)) optimizer_.step(stats.learning_rate, stats.grad_norm);
}

/// Every rank knows the words of every rank's examples, so that only their gradients have to travel.
void Trainer::announce(std::span<const int64_t> global_batch) {
  if (job_.world_size() == 1) return;
  const Trace::Span span(trace_, "data");
  sync_.begin_step(data::distinct_ids(data::pack(data_.train, global_batch, options_.max_seq_length).ids));
}

void Trainer::finish_reductions() {
  enter("waiting for gradients");
  failpoint("all-reduce");
  {
    const Trace::Span span(trace_, "wait for reductions");
    sync_.finish();
  }
  trace_.add(sync_.buckets());
}

double Trainer::gradient_norm() {
  const Trace::Span span(trace_, "gradient norm");
  return optimizer_.gradient_norm();
}

std::vector<double> Trainer::work_of(std::span<const int64_t> examples) const {
  std::vector<double> work;
  for (const int64_t example : examples)
    work.push_back(model::arithmetic_of(model_.config(), length_of(example)));
  return work;
}

int64_t Trainer::length_of(int64_t example) const {
  return std::min<int64_t>(options_.max_seq_length, std::ssize(data_.train.ids(example)));
}

double Trainer::forward_backward(std::span<const int64_t> share, double gradient_scale) {
  const auto micro_batch = std::max<size_t>(1, (share.size() + plan_.accumulation - 1) / plan_.accumulation);
  double loss_sum = 0;
  for (size_t begin = 0; begin < std::max<size_t>(1, share.size()); begin += micro_batch) {
    const auto members = share.subspan(begin, std::min(micro_batch, share.size() - begin));
    std::optional<Trace::Span> phase(std::in_place, trace_, "data");
    const data::PackedBatch batch = data::pack(data_.train, failpoint_examples(members), options_.max_seq_length);
    const bool last = begin + members.size() == share.size();
    enter("forward");
    failpoint("forward");
    phase.emplace(trace_, "forward");
    const auto frontier = [&](int64_t end) {
      if (end == 0) phase.emplace(trace_, "backward");
      enter("backward");
      failpoint("backward");
      if (last) sync_.frontier_moved(end);
    };
    loss_sum += model_.forward_backward(view_of(batch), options_.seed, step_,
                                        gradient_scale * failpoint_factor(batch.example_ids), frontier);
    ledger_.add(batch.example_ids);
  }
  return loss_sum;
}

std::string Trainer::failed_save_words() const {
  return saver_ != nullptr && saver_->counts().last_failed ? "the last checkpoint failed" : "";
}

ProgressDetails Trainer::progress_details(const StepStats& stats) const {
  const Throughput speed = per_second(in_all_);
  const std::string epoch = formatted("epoch %.2f/%.4g", plan_.epoch_at(stats.step), plan_.epoch_at(plan_.total_steps));
  const std::string failed = failed_save_words();
  const std::string loss = (failed.empty() ? "" : failed + " | ") + formatted("loss %.4f", smoothed_loss_);
  return {.full = loss + " | " + epoch + " | " + speed_words(speed) + exposed_words(speed) +
                  formatted(" | lr %.2e", stats.learning_rate),
          .narrow = epoch + " | " + loss + formatted(" | %.1f ex/s | lr %.1e", speed.samples, stats.learning_rate)};
}

void Trainer::observe(const StepStats& stats) {
  job_.activity().phase("logging", dist::Pace::kOpen);  // a shared file system may stand still for a while
  for (Window* window : {&since_log_, &since_epoch_, &since_evaluation_, &in_all_})
    window->add(stats);
  smoothed_loss_ = stats.step == 1 ? stats.loss : 0.9 * smoothed_loss_ + 0.1 * stats.loss;
  progress_.update(stats.step, progress_details(stats));
  last_ = stats;
  look_for_waits(stats);
  if (stats.step % options_.logging_steps == 0) log_last_step();
}

void Trainer::log_last_step() {
  TrainRecord record{last_.step, plan_.epoch_at(last_.step), since_log_.loss(), last_.grad_norm, last_.learning_rate};
  record.per_second = per_second(since_log_);
  record.rank_seconds = stragglers_.take_means();
  if (job_.world_size() > 1) record.exposed_seconds = since_log_.exposed_seconds();
  if (job_.world_size() > 1) record.network_seconds = since_log_.network_seconds();
  history_.add(record);
  since_log_ = {.began = progress_.seconds()};
}

void Trainer::close_epoch() {
  const Ledger ledger = close_ledger();
  const EpochRecord record{step_, plan_.epoch_at(step_), since_epoch_.loss(), progress_.seconds() - since_epoch_.began,
                           per_second(since_epoch_)};
  history_.add(record);
  if (job_.is_main())
    log_info(formatted("epoch %.2f, step %lld: trained in %s, ", record.epoch, static_cast<long long>(step_),
                       format_duration(record.seconds).c_str()) +
             speed_words(record.per_second) + exposed_words(record.per_second) +
             formatted(", each of %lld examples once", static_cast<long long>(ledger.count())) +
             (failed_save_words().empty() ? "" : "; " + failed_save_words()));
  since_epoch_ = {.began = progress_.seconds()};
}

void Trainer::enter(std::string_view phase) {
  job_.activity().phase(phase, dist::Pace::kSteps);
}

}  // namespace lockstep
