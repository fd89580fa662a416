// What of a Trainer goes into a checkpoint, and comes back.
#include <algorithm>
#include <cstdlib>

#include "launcher/exit_codes.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/loop/trainer.h"
#include "launcher/replicas.h"

namespace lockstep {

namespace {

/// Without what there is not yet.
nlohmann::json to_json(const BestModel::State& best) {
  nlohmann::json text = {{"step", best.step}, {"evaluations_without_gain", best.evaluations_without_gain}};
  if (best.step >= 0) text.update({{"value", best.value}, {"epoch", best.epoch}});
  if (best.lost_step >= 0) text.update({{"lost_step", best.lost_step}, {"lost_value", best.lost_value}});
  return text;
}

bool holds_best_model(const CheckpointManifest& manifest) {
  return std::any_of(manifest.files.begin(), manifest.files.end(),
                     [](const FileReceipt& file) { return file.name == kBestModelName; });
}

/// Whether "the best so far" was found on other examples than those that `options` evaluate on.
bool evaluates_otherwise(const RunFacts& saved, const TrainOptions& options) {
  const auto split = saved.find("eval_split"), samples = saved.find("max_eval_samples");
  return (split != saved.end() && split->second != options.eval_split) ||
         (samples != saved.end() && std::strtoll(samples->second.c_str(), nullptr, 10) != options.max_eval_samples);
}

BestModel::State best_of(const nlohmann::json& text) {
  BestModel::State best;
  best.step = text.at("step");
  best.evaluations_without_gain = text.at("evaluations_without_gain");
  if (best.step >= 0) {
    best.value = text.at("value");
    best.epoch = text.at("epoch");
  }
  if (text.contains("lost_step")) {
    best.lost_step = text["lost_step"];
    best.lost_value = text.at("lost_value");
  }
  return best;
}

}  // namespace

nlohmann::json Trainer::Window::to_json() const {
  return {{"began", began},       {"steps", steps}, {"examples", examples},       {"tokens", tokens},
          {"loss_sum", loss_sum}, {"flops", flops}, {"exposed_sum", exposed_sum}, {"network_sum", network_sum}};
}

void Trainer::Window::restore(const nlohmann::json& text) {
  began = text.at("began");
  steps = text.at("steps");
  examples = text.at("examples");
  tokens = text.at("tokens");
  loss_sum = text.at("loss_sum");
  flops = text.at("flops");
  exposed_sum = text.at("exposed_sum");
  network_sum = text.value("network_sum", 0.0);  // not in older checkpoints
}

nlohmann::json Trainer::state() const {
  return {{"optimizer_steps", optimizer_.steps()},
          {"seconds", progress_.seconds()},
          {"last_grad_norm", last_.grad_norm},
          {"smoothed_loss", smoothed_loss_},
          {"since_log", since_log_.to_json()},
          {"since_epoch", since_epoch_.to_json()},
          {"since_evaluation", since_evaluation_.to_json()},
          {"in_all", in_all_.to_json()},
          {"best", lockstep::to_json(best_.state())},
          {"advice_given", advice_given_}};
}

void Trainer::restore(const CheckpointManifest& manifest, const FlatState& state, std::string_view history) {
  const nlohmann::json& text = manifest.training;
  model_.set_parameters(state.parameters);
  optimizer_.set_moments(state.m, state.v, text.at("optimizer_steps"));
  step_ = first_step_ = manifest.step;
  progress_.set_seconds(text.at("seconds"));
  smoothed_loss_ = text.at("smoothed_loss");
  last_.step = manifest.step;
  if (text.contains("last_grad_norm")) last_.grad_norm = text["last_grad_norm"];  // not in older checkpoints
  last_.learning_rate = plan_.schedule.at(manifest.step - 1);
  since_log_.restore(text.at("since_log"));
  if (text.contains("since_epoch")) since_epoch_.restore(text["since_epoch"]);
  since_evaluation_.restore(text.at("since_evaluation"));
  in_all_.restore(text.at("in_all"));
  best_.restore(best_of(text.at("best")));
  evaluates_anew_ = evaluates_otherwise(manifest.facts, options_);
  if (evaluates_anew_)
    forget_best("evaluations are on other examples than before");
  else if (options_.load_best_model_at_end && best_.any() && !holds_best_model(manifest))
    forget_best("the checkpoint does not hold the best model so far");
  advice_given_ = text.at("advice_given").get<decltype(advice_given_)>();
  history_.restore(history);
  if (job_.is_main()) ledger_ = Ledger::of_text(text.at("ledger").at("count"), text.at("ledger").at("sum"));
}

/// As in a run that has only now been told to deliver the best one.
void Trainer::forget_best(const char* why) {
  if (best_.any() && job_.is_main())
    log_warning(formatted("%s: the best one, of step %lld so far, is now that of the evaluations from here on", why,
                          static_cast<long long>(best_.step())));
  BestModel::State none;
  if (!evaluates_anew_) none.evaluations_without_gain = best_.state().evaluations_without_gain;
  best_.restore(none);
}

void Trainer::save_with(CheckpointSaver& saver, const StateDescriber& describe) {
  saver_ = &saver;
  describe_ = describe;
}

void Trainer::save_if_due(bool end_of_epoch) {
  if (saver_ == nullptr) return;
  const bool is_last = !goes_on();
  const bool is_due = options_.save_strategy == "epoch" ? end_of_epoch : step_ % options_.save_steps == 0;
  if (!is_last && !is_due) return;
  progress_.pause();
  if (is_last) saver_->finish();  // so that this one is not skipped
  if (saver_->is_busy()) {
    saver_->skip(step_);
    return progress_.resume();
  }
  job_.activity().phase("saving a checkpoint", dist::Pace::kOpen);
  require_equal_parameters(job_, model_, "parameters");  // each rank writes its part of what must be one state
  saver_->begin(place(ledger_of_all_ranks()), [this](int64_t begin, FlatState& part) {
    optimizer_.get_state(begin, part.parameters, part.m, part.v);
  });
  if (is_last) saver_->finish();
  progress_.resume();
}

Ledger Trainer::ledger_of_all_ranks() {
  return Ledger::of_sums(job_.control().sum(ledger_.summands()));
}

Ledger Trainer::close_ledger() {
  const Ledger found = ledger_of_all_ranks();
  ledger_ = {};
  Ledger expected;
  expected.add(data_.train_examples);
  if (found == expected) return found;
  throw AgreedFailure(dist::Failure{
      0, kFailure,
      formatted("the epoch that ended with step %lld did not train each example exactly once: %lld examples, sum %s; "
                "expected %lld, sum %s. This is a defect of the program; checkpoints of this epoch are of no use",
                static_cast<long long>(step_), static_cast<long long>(found.count()), found.sum().c_str(),
                static_cast<long long>(expected.count()), expected.sum().c_str())});
}

TrainingPlace Trainer::place(const Ledger& ledger) const {
  TrainingPlace place;
  place.step = step_;
  place.epoch = step_ / plan_.steps_per_epoch;
  place.cursor = step_ % plan_.steps_per_epoch * plan_.global_batch;
  place.kept_step = best_.step();
  place.with_best_model = options_.load_best_model_at_end && best_.any();
  if (!job_.is_main()) return place;
  place.training = state();
  place.history = history_.records();
  place.training["ledger"] = {{"count", ledger.count()}, {"sum", ledger.sum()}};
  if (describe_) place.trainer_state = describe_(summary());
  return place;
}

TrainSummary Trainer::summary() const {
  return {.steps = step_,
          .train_loss = in_all_.loss(),
          .train_seconds = progress_.seconds(),
          .per_second = per_second(in_all_),
          .best = best_,
          .advice = advice_to_repeat(),
          .exposed_seconds = in_all_.exposed_seconds(),
          .saves = saver_ != nullptr ? saver_->counts() : SaveCounts{}};
}

}  // namespace lockstep
