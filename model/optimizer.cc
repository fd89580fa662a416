#include "model/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "model/adamw_update.h"
#include "model/distilbert_impl.h"

namespace lockstep::model {
namespace {

/// Neighbouring elements under one weight decay.
struct Run {
  int64_t begin = 0;
  int64_t size = 0;
  bool decay = false;
};

std::vector<Run> runs_of(const ParameterLayout& layout, bool any_decay) {
  std::vector<Run> runs;
  for (const ParameterSlot& slot : layout.slots) {
    const bool decay = any_decay && slot.decay;
    if (runs.empty() || runs.back().decay != decay) runs.push_back({slot.offset, 0, decay});
    runs.back().size += slot.size;
  }
  return runs;
}

void require_fitting(int64_t begin, size_t size, int64_t elements) {
  if (begin < 0 || begin + static_cast<int64_t>(size) > elements)
    throw std::invalid_argument("get_state: elements beyond the model's");
}

at::Tensor on_host(std::span<const float> values) {
  return at::from_blob(const_cast<float*>(values.data()), {std::ssize(values)}, at::kFloat);
}

void copy_to_host(const at::Tensor& flat, int64_t begin, std::span<float> out) {
  on_host(out).copy_(flat.narrow(0, begin, std::ssize(out)));
}

}  // namespace

struct AdamW::Impl {
  Impl(DistilBert& trained, AdamWOptions given)
      : model(*trained.impl_),
        options(given),
        runs(runs_of(model.layout, options.weight_decay != 0)),
        m(at::zeros_like(model.parameters)),
        v(at::zeros_like(model.parameters)) {}

  double gradient_norm() const {
    if (model.device.is_cpu())
      return std::sqrt(square_sum_on_host(model.gradients.const_data_ptr<float>(), model.layout.size));
    return at::linalg_vector_norm(model.gradients, 2, std::nullopt, false, at::kDouble).item<double>();
  }

  AdamWScalars scalars(double learning_rate, double norm) const {
    const auto t = static_cast<double>(steps);
    AdamWScalars s;
    if (options.max_grad_norm > 0) s.clip = static_cast<float>(std::min(1.0, options.max_grad_norm / (norm + 1e-6)));
    s.first_weight = static_cast<float>(1 - options.beta1);
    s.second_decay = static_cast<float>(options.beta2);
    s.second_weight = static_cast<float>(1 - options.beta2);
    s.root_correction = static_cast<float>(std::sqrt(1 - std::pow(options.beta2, t)));
    s.epsilon = static_cast<float>(options.epsilon);
    s.step_size = static_cast<float>(learning_rate / (1 - std::pow(options.beta1, t)));
    return s;
  }

  void update(const Run& run, AdamWScalars s, double learning_rate) {
    if (run.decay) s.keep = static_cast<float>(1 - learning_rate * options.weight_decay);
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, run.begin, run.size); };
    const at::Tensor p = part(model.parameters), g = part(model.gradients), m_part = part(m), v_part = part(v);
    if (!model.device.is_cpu()) return adamw_update_on_device(p, g, m_part, v_part, s);
    adamw_update_on_host(p.mutable_data_ptr<float>(), g.mutable_data_ptr<float>(), m_part.mutable_data_ptr<float>(),
                         v_part.mutable_data_ptr<float>(), run.size, s);
  }

  DistilBert::Impl& model;
  AdamWOptions options;
  std::vector<Run> runs;
  at::Tensor m, v;
  int64_t steps = 0;
};

AdamW::AdamW(DistilBert& model, AdamWOptions options) : impl_(std::make_unique<Impl>(model, options)) {}
AdamW::~AdamW() = default;

double AdamW::step(double learning_rate) {
  const double norm = impl_->gradient_norm();
  if (!std::isfinite(norm)) {
    impl_->model.gradients.zero_();
    return norm;
  }
  ++impl_->steps;
  const AdamWScalars scalars = impl_->scalars(learning_rate, norm);
  for (const Run& run : impl_->runs)
    impl_->update(run, scalars, learning_rate);
  impl_->model.refresh_weights();
  return norm;
}

double AdamW::gradient_norm() const {
  return impl_->gradient_norm();
}

int64_t AdamW::steps() const {
  return impl_->steps;
}

void AdamW::get_state(int64_t begin, std::span<float> parameters, std::span<float> m, std::span<float> v) const {
  require_fitting(begin, parameters.size(), impl_->model.layout.size);
  require_fitting(begin, m.size(), impl_->model.layout.size);
  require_fitting(begin, v.size(), impl_->model.layout.size);
  copy_to_host(impl_->model.parameters, begin, parameters);
  copy_to_host(impl_->m, begin, m);
  copy_to_host(impl_->v, begin, v);
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
