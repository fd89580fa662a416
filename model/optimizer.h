#pragma once

#include <cstdint>
#include <span>

#include "model/distilbert.h"

namespace lockstep::model {

/// Hugging Face Trainer's adamw_torch; names and defaults are its.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;   // decoupled; only on slots with `decay`
  double max_grad_norm = 1.0;  // of the whole flat gradient; <= 0: no clipping
};

/// AdamW (Loshchilov and Hutter, 2019) with the update order of torch.optim.AdamW, and torch's clip_grad_norm_ before
/// it (coefficient max_grad_norm / (norm + 1e-6), at most 1). Owns m and v, flat, in the model's layout.
class AdamW {
 public:
  AdamW(DistilBert& model, AdamWOptions options);  // `model` must outlive it
  ~AdamW();
  AdamW(const AdamW&) = delete;
  AdamW& operator=(const AdamW&) = delete;

  /// Clips the model's gradients by `norm`, theirs before that, updates the parameters and zeroes the gradients. Ranks
  /// give the number of one of them: GPUs of two kinds sum equal gradients to norms that differ in the last bit, and
  /// replicas would drift apart. A norm that is not finite leaves parameters, m, v and the step count as they were (the
  /// gradients are zeroed all the same).
  void step(double learning_rate, double norm);
  /// Of a replica that is alone: with its own gradient_norm(), which it returns.
  double step(double learning_rate);
  int64_t steps() const;
  /// Of the model's gradients as they are.
  double gradient_norm() const;

  /// Elements [begin, begin + size) of parameters and moments, to host memory; spans of one size.
  void get_state(int64_t begin, std::span<float> parameters, std::span<float> m, std::span<float> v) const;
  /// The whole moments, layout().size floats each, and the number of steps that led to them.
  void set_moments(std::span<const float> m, std::span<const float> v, int64_t steps);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::model
