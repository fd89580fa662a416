#include "model/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "model/adamw_update.h"
#include "model/distilbert_impl.h"
#include "model/flat_vector.h"

namespace lockstep::model {
namespace {

/// Neighbouring elements under one weight decay.
struct Run {
  int64_t begin = 0;
  int64_t size = 0;
  bool decay = false;
};

/// What is behind the classifier is aligned on a device (flat_vector.h). In a run with the classifier it would not be.
bool begins_aligned_part(const ParameterSlot& slot) {
  return slot.name == "pre_classifier.weight";
}

std::vector<Run> runs_of(const ParameterLayout& layout, bool any_decay) {
  std::vector<Run> runs;
  for (const ParameterSlot& slot : layout.slots) {
    const bool decay = any_decay && slot.decay;
    if (runs.empty() || runs.back().decay != decay || begins_aligned_part(slot))
      runs.push_back({slot.offset, 0, decay});
    runs.back().size += slot.size;
  }
  return runs;
}

using Three = std::array<at::Tensor, 3>;  // parameters, m and v

at::Tensor on_host(std::span<const float> values) {
  return at::from_blob(const_cast<float*>(values.data()), {std::ssize(values)}, at::kFloat);
}

}  // namespace

struct AdamW::Impl {
  Impl(DistilBert& trained, AdamWOptions given)
      : model(*trained.impl_),
        options(given),
        runs(runs_of(model.layout, options.weight_decay != 0)),
        m(flat_zeros(model.layout, model.layout.size, model.parameters.options())),
        v(flat_zeros(model.layout, model.layout.size, model.parameters.options())) {
    if (model.device.is_cpu()) return;
    for (const Run& run : runs) {
      AdamWParts& parts = run.decay ? decayed : others;
      parts.p.push_back(part(model.parameters, run));
      parts.g.push_back(part(model.gradients, run));
      parts.m.push_back(part(m, run));
      parts.v.push_back(part(v, run));
    }
  }

  static at::Tensor part(const at::Tensor& flat, const Run& run) { return flat.narrow(0, run.begin, run.size); }

  double gradient_norm() const {
    if (model.device.is_cpu())
      return std::sqrt(square_sum_on_host(model.gradients.const_data_ptr<float>(), model.layout.size));
    // Widens each element where it is read; linalg_vector_norm would first make a copy of all of them in double.
    return at::_foreach_norm({model.gradients}, 2, at::kDouble)[0].item<double>();
  }

  AdamWStep step_of(double learning_rate, double norm) const {
    AdamWStep step = {.learning_rate = learning_rate,
                      .weight_decay = options.weight_decay,
                      .beta1 = options.beta1,
                      .beta2 = options.beta2,
                      .epsilon = options.epsilon,
                      .number = steps};
    if (options.max_grad_norm > 0) step.clip = std::min(1.0, options.max_grad_norm / (norm + 1e-6));
    return step;
  }

  void update(const AdamWStep& step) {
    AdamWStep without_decay = step;
    without_decay.weight_decay = 0;
    if (!model.device.is_cpu()) {
      adamw_update_on_device(decayed, step);
      return adamw_update_on_device(others, without_decay);
    }
    const auto first = [](const at::Tensor& flat, const Run& run) {
      return flat.mutable_data_ptr<float>() + run.begin;
    };
    for (const Run& run : runs)
      adamw_update_on_host(first(model.parameters, run), first(model.gradients, run), first(m, run), first(v, run),
                           run.size, scalars_of(run.decay ? step : without_decay));
  }

  /// Elements [begin, begin + size) of all three.
  Three part_of_state(int64_t begin, int64_t size) const {
    return {model.parameters.narrow(0, begin, size), m.narrow(0, begin, size), v.narrow(0, begin, size)};
  }

  /// `state`, from a GPU, in pinned memory, which stays: the three copies are queued, and waited for once.
  Three staged(const Three& state) {
    const int64_t size = state[0].numel();
    if (!staging.defined() || staging.size(1) < size)
      staging = at::empty({3, size}, at::TensorOptions(at::kFloat).pinned_memory(true));
    Three copies;
    for (int64_t i = 0; i < 3; ++i)
      copies[i] = staging[i].narrow(0, 0, size).copy_(state[i], /*non_blocking=*/true);
    const c10::impl::VirtualGuardImpl devices(model.device.type());
    devices.synchronizeStream(devices.getStream(model.device));
    return copies;
  }

  DistilBert::Impl& model;
  AdamWOptions options;
  std::vector<Run> runs;
  at::Tensor m, v;
  AdamWParts decayed, others;  // on a device: the runs
  at::Tensor staging;          // pinned, [3, elements]
  int64_t steps = 0;
};

AdamW::AdamW(DistilBert& model, AdamWOptions options) : impl_(std::make_unique<Impl>(model, options)) {}
AdamW::~AdamW() = default;

void AdamW::step(double learning_rate, double norm) {
  if (!std::isfinite(norm)) {
    impl_->model.gradients.zero_();
    return;
  }
  const WithoutAutograd faster;
  ++impl_->steps;
  impl_->update(impl_->step_of(learning_rate, norm));
  impl_->model.refresh_weights();
}

double AdamW::step(double learning_rate) {
  const double norm = gradient_norm();
  step(learning_rate, norm);
  return norm;
}

double AdamW::gradient_norm() const {
  return impl_->gradient_norm();
}

int64_t AdamW::steps() const {
  return impl_->steps;
}

void AdamW::get_state(int64_t begin, std::span<float> parameters, std::span<float> m, std::span<float> v) const {
  const int64_t size = std::ssize(parameters);
  if (begin < 0 || begin + size > impl_->model.layout.size || std::ssize(m) != size || std::ssize(v) != size)
    throw std::invalid_argument("get_state: elements beyond the model's, or spans of several sizes");
  Three state = impl_->part_of_state(begin, size);
  if (!impl_->model.device.is_cpu()) state = impl_->staged(state);
  on_host(parameters).copy_(state[0]);
  on_host(m).copy_(state[1]);
  on_host(v).copy_(state[2]);
}

void AdamW::set_moments(std::span<const float> m, std::span<const float> v, int64_t steps) {
  const auto size = static_cast<size_t>(impl_->model.layout.size);
  if (m.size() != size || v.size() != size || steps < 0)
    throw std::invalid_argument("set_moments needs layout().size floats each, and a count of steps");
  impl_->m.copy_(on_host(m));
  impl_->v.copy_(on_host(v));
  impl_->steps = steps;
}

}  // namespace lockstep::model
