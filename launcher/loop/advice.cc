#include "launcher/loop/advice.h"

#include <algorithm>
#include <cmath>

#include "launcher/format.h"

namespace lockstep {

namespace {

using Evaluations = std::vector<EvalRecord>;

/// Two evaluations in a row with higher validation loss and lower training loss than the best one.
void advise_on_overfitting(const Evaluations& evaluations, std::vector<Advice>& advice) {
  if (evaluations.size() < 3) return;
  const auto best =
      std::min_element(evaluations.begin(), evaluations.end(),
                       [](const EvalRecord& a, const EvalRecord& b) { return a.result.loss < b.result.loss; });
  if (evaluations.end() - best < 3) return;
  const EvalRecord& last = evaluations.back();
  if (last.result.loss < best->result.loss * 1.02 || last.training_loss >= best->training_loss) return;
  advice.push_back({"overfitting", formatted("validation loss rose from %.4f (epoch %.2f) to %.4f while training loss "
                                             "fell from %.4f to %.4f: the model memorizes. Epoch %.2f "
                                             "is the one to keep (--load_best_model_at_end delivers it); train fewer "
                                             "epochs, or raise --dropout",
                                             best->result.loss, best->epoch, last.result.loss, best->training_loss,
                                             last.training_loss, best->epoch)});
}

/// More than half of the changes between records reverse direction and the swings exceed a fifth of the loss.
void advise_on_oscillation(const std::vector<TrainRecord>& training, std::vector<Advice>& advice) {
  constexpr size_t kWindow = 8;
  if (training.size() < kWindow) return;
  const auto* records = &training[training.size() - kWindow];
  size_t reversals = 0;
  double swing = 0, mean = 0;
  for (size_t i = 1; i < kWindow; ++i) {
    swing += std::abs(records[i].loss - records[i - 1].loss);
    mean += records[i].loss;
    if (i >= 2 && (records[i].loss - records[i - 1].loss) * (records[i - 1].loss - records[i - 2].loss) < 0)
      ++reversals;
  }
  mean /= kWindow - 1;
  swing /= kWindow - 1;
  const double fall = records[0].loss - records[kWindow - 1].loss;
  // 0.35: a mean over few examples swings by itself; half-decided losses near 0 do not matter.
  if (reversals >= 4 && mean > 0.3 && swing > 0.35 * mean && fall < swing)
    advice.push_back({"oscillation", formatted("training loss swings by %.2f around %.2f without falling: the learning "
                                               "rate is too high for it; try half of --learning_rate, "
                                               "or --warmup_steps 0.1",
                                               swing, mean)});
}

/// All losses within 2 % of chance, and training loss not even 1 % lower than in the beginning.
void advise_on_chance(const Evaluations& evaluations, int64_t classes, std::vector<Advice>& advice) {
  if (evaluations.size() < 2) return;
  const double chance = std::log(static_cast<double>(classes));
  const auto at_chance = [&](const EvalRecord& record) {
    return record.result.loss > 0.98 * chance && record.training_loss > 0.98 * chance;
  };
  if (!std::all_of(evaluations.begin(), evaluations.end(), at_chance)) return;
  if (evaluations.back().training_loss < 0.99 * evaluations.front().training_loss) return;
  advice.push_back(
      {"chance", formatted("after %zu evaluations training and validation loss are still at chance (%.3f for "
                           "%lld classes): look at the labels (lockstep prepare prints their counts) and at "
                           "a few examples, then at --learning_rate",
                           evaluations.size(), chance, static_cast<long long>(classes))});
}

}  // namespace

std::vector<Advice> advise(const std::vector<TrainRecord>& training, const std::vector<EvalRecord>& evaluations,
                           int64_t classes) {
  std::vector<Advice> advice;
  advise_on_overfitting(evaluations, advice);
  advise_on_oscillation(training, advice);
  advise_on_chance(evaluations, classes, advice);
  return advice;
}

std::vector<std::string> advise_on_labels(const std::vector<int64_t>& examples_per_label,
                                          const std::vector<std::string>& names) {
  int64_t total = 0;
  for (const int64_t count : examples_per_label)
    total += count;
  std::vector<std::string> advice;
  for (size_t label = 0; label < examples_per_label.size(); ++label) {
    const double share =
        static_cast<double>(examples_per_label[label]) / static_cast<double>(std::max<int64_t>(1, total));
    if (share > 0.95)
      advice.push_back(formatted(
          "%.1f %% of the training examples are labelled %s: the model can be right by always answering that; "
          "look at recall and F1, "
          "not at accuracy",
          share * 100, names[label].c_str()));
    if (examples_per_label[label] == 0) advice.push_back("no training example is labelled " + names[label]);
  }
  return advice;
}

}  // namespace lockstep
