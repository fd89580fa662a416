#include "model/flat_vector.h"

#include <ATen/ATen.h>

namespace lockstep::model {

int64_t elements_before(const ParameterLayout& layout) {
  const int64_t beyond = layout.find("pre_classifier.weight").offset % kFlatAlignment;
  return beyond == 0 ? 0 : kFlatAlignment - beyond;
}

at::Tensor aligned_zeros(const ParameterLayout& layout, int64_t count, const at::TensorOptions& options) {
  const int64_t before = elements_before(layout);
  return at::zeros({before + count}, options).narrow(0, before, count);
}

at::Tensor flat_zeros(const ParameterLayout& layout, int64_t count, const at::TensorOptions& options) {
  return options.device().is_cpu() ? at::zeros({count}, options) : aligned_zeros(layout, count, options);
}

}  // namespace lockstep::model
