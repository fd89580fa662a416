#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "model/distilbert_impl.h"

namespace lockstep::model {
namespace {

at::Tensor indices_of(std::span<const int32_t> ids, const DistilBertConfig& config) {
  const auto beyond =
      std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return id < 0 || id >= config.vocab_size; });
  if (beyond != ids.end())
    throw std::invalid_argument("row " + std::to_string(*beyond) + " of the word embeddings' gradient, which has " +
                                std::to_string(config.vocab_size));
  return at::tensor(at::ArrayRef<int64_t>(std::vector<int64_t>(ids.begin(), ids.end())), at::kLong);
}

std::span<float> values_of(at::Tensor& tensor) {
  return {tensor.mutable_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

}  // namespace

std::span<float> DistilBert::gather_word_gradient_rows(std::span<const int32_t> ids, Memory memory) {
  Impl& m = *impl_;
  m.gathered_ids = indices_of(ids, m.config);
  if (!m.gathered_rows.defined()) m.gathered_rows = at::empty({0}, m.gradients.options());
  m.gathered_rows.resize_({m.gathered_ids.numel(), m.config.dim});
  at::index_select_out(m.gathered_rows, m.word_gradient, 0, m.gathered_ids.to(m.device));
  if (m.device.is_cpu() || memory == Memory::kDevice) return values_of(m.gathered_rows);
  m.host_gathered_rows = at::empty(m.gathered_rows.sizes(), at::TensorOptions().dtype(at::kFloat).pinned_memory(true));
  m.host_gathered_rows.copy_(m.gathered_rows);
  return values_of(m.host_gathered_rows);
}

void DistilBert::scatter_word_gradient_rows(std::span<const int32_t> ids, Memory memory) {
  Impl& m = *impl_;
  const at::Tensor indices = indices_of(ids, m.config);
  if (!m.gathered_ids.defined() || !at::equal(indices, m.gathered_ids))
    throw std::invalid_argument("scatter of " + std::to_string(ids.size()) + " rows that were not gathered before");
  if (!m.device.is_cpu() && memory == Memory::kHost) m.gathered_rows.copy_(m.host_gathered_rows);
  m.word_gradient.index_copy_(0, indices.to(m.device), m.gathered_rows);
}

}  // namespace lockstep::model
