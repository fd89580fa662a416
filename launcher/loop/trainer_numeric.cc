// What a Trainer says of a step whose loss or gradient is not a number.
#include <cmath>

#include "launcher/batch_view.h"
#include "launcher/exit_codes.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/loop/trainer.h"

namespace lockstep {

namespace {

constexpr size_t kNamed = 8;  // of each rank

/// "rank 1: examples 17, 23, ..."
std::string words_on(int rank, const std::vector<int64_t>& examples) {
  std::string text;
  for (size_t i = 0; i < std::min(examples.size(), kNamed); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(examples[i]);
  return formatted("rank %d: examples ", rank) + text + (examples.size() > kNamed ? ", ..." : "");
}

}  // namespace

/// Weights and dropout masks are still those of the step, since its update was withheld: each example alone, once more.
std::vector<int64_t> Trainer::examples_without_numbers(std::span<const int64_t> share) {
  std::vector<int64_t> found;
  for (const int64_t example : share) {
    const data::PackedBatch batch = data::pack(data_.train, std::span(&example, 1), options_.max_seq_length);
    model_.zero_gradients();
    const double loss = model_.forward_backward(view_of(batch), options_.seed, step_, failpoint_factor({&example, 1}));
    if (!std::isfinite(loss) || !std::isfinite(optimizer_.gradient_norm())) found.push_back(example);
    job_.activity().progress();
  }
  return found;
}

/// Rank 0's.
std::string Trainer::words_on_what_is_left() const {
  const int64_t saved = std::max(first_step_, saver_ != nullptr ? saver_->counts().newest : 0);
  if (published_step_ < 0 && saved == 0)
    return "; nothing was saved: --eval_strategy epoch or --save_strategy steps would have";
  std::string words;
  if (published_step_ >= 0)
    words += formatted("; --output_dir holds the model of step %lld", static_cast<long long>(published_step_));
  if (saved > 0)
    words += formatted(
        "; the training can go on from checkpoint-%lld with a lower --learning_rate and "
        "--allow_change learning_rate",
        static_cast<long long>(saved));
  return words;
}

void Trainer::refuse_step(const StepStats& stats, std::span<const int64_t> share) {
  job_.activity().phase("looking for NaN", dist::Pace::kOpen);
  if (saver_ != nullptr) saver_->finish();  // what is under way is of a step before
  const std::vector<int64_t> mine = examples_without_numbers(share);
  std::string origin;
  for (const std::string& words : job_.control().gather(mine.empty() ? "" : words_on(job_.rank(), mine)))
    if (!words.empty()) origin += (origin.empty() ? "" : "; ") + words;
  if (origin.empty()) origin = "no example alone gives it, their sum does";
  const std::string message = formatted(
      "step %lld: loss %g, gradient norm %g (%s); the update was withheld on all ranks. A lower --learning_rate or a "
      "warm-up (--warmup_steps 0.1) usually helps",
      static_cast<long long>(step_) + 1, stats.loss, stats.grad_norm, origin.c_str());
  throw AgreedFailure(dist::Failure{0, kNumeric, job_.control().broadcast(message + words_on_what_is_left(), 0)});
}

void Trainer::refuse_evaluation() {
  if (saver_ != nullptr) saver_->finish();  // what is under way is of a step before
  const std::string message = formatted(
      "step %lld: in its evaluation the model answers NaN or infinity, so its training has diverged. A lower "
      "--learning_rate or a warm-up (--warmup_steps 0.1) usually helps",
      static_cast<long long>(step_));
  throw AgreedFailure(dist::Failure{0, kNumeric, job_.control().broadcast(message + words_on_what_is_left(), 0)});
}

}  // namespace lockstep
