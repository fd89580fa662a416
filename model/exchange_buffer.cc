#include "model/exchange_buffer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "model/distilbert_impl.h"
#include "model/flat_vector.h"

namespace lockstep::model {
namespace {

bool has_form(const at::Tensor& values, ExchangeForm form) {
  return !form.bfloat16 && (!form.on_host || values.is_cpu());
}

at::TensorOptions options_in_form(const at::Tensor& values, ExchangeForm form) {
  const bool to_host = form.on_host && !values.is_cpu();
  return values.options()
      .dtype(form.bfloat16 ? at::kBFloat16 : at::kFloat)
      .device(to_host ? at::Device(at::kCPU) : values.device())
      .pinned_memory(to_host);
}

/// `values` themselves where they have the form, or else room for as many in that form.
at::Tensor buffer_for(const at::Tensor& values, ExchangeForm form) {
  return has_form(values, form) ? values : at::empty(values.sizes(), options_in_form(values, form));
}
at::Tensor flat_buffer_for(const at::Tensor& gradients, const ParameterLayout& layout, ExchangeForm form) {
  return has_form(gradients, form) ? gradients : flat_zeros(layout, layout.size, options_in_form(gradients, form));
}

void copy_numbers(const at::Tensor& from, at::Tensor to) {
  if (!to.is_same(from)) to.copy_(from);
}

void check_ids(std::span<const int32_t> ids, int64_t vocabulary) {
  const auto beyond = std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return id < 0 || id >= vocabulary; });
  if (beyond != ids.end())
    throw std::invalid_argument("row " + std::to_string(*beyond) + " of the word embeddings' gradient, which has " +
                                std::to_string(vocabulary));
}

/// `ids` as a tensor of the host, in the memory of `buffer`.
at::Tensor& indices_in(at::Tensor& buffer, std::span<const int32_t> ids) {
  if (!buffer.defined()) buffer = at::empty({0}, at::kLong);
  buffer.resize_({static_cast<int64_t>(ids.size())});
  std::ranges::copy(ids, buffer.mutable_data_ptr<int64_t>());
  return buffer;
}

}  // namespace

struct ExchangeBuffer::Impl {
  at::Tensor gradients, buffer;  // [layout().size]; maybe the same
  at::Tensor word_gradient;      // [vocabulary, dim], a view of the model's
  // Of the last load_word_rows(), in memory that stays. Ids on the host and on the device, maybe the same; rows as the
  // model has them and as they are exchanged, maybe the same.
  at::Tensor host_ids, ids, rows, exchanged_rows;
};

ExchangeBuffer::ExchangeBuffer(DistilBert& model, ExchangeForm form)
    : form_(form),
      impl_(std::make_unique<Impl>(Impl{model.impl_->gradients,
                                        flat_buffer_for(model.impl_->gradients, model.layout(), form),
                                        model.impl_->word_gradient,
                                        {},
                                        {},
                                        {},
                                        {}})) {}
ExchangeBuffer::~ExchangeBuffer() = default;

void* ExchangeBuffer::data() {
  return impl_->buffer.mutable_data_ptr();
}

void ExchangeBuffer::load(int64_t begin, int64_t end) {
  if (impl_->buffer.is_same(impl_->gradients)) return;
  copy_numbers(impl_->gradients.narrow(0, begin, end - begin), impl_->buffer.narrow(0, begin, end - begin));
}

void ExchangeBuffer::store(int64_t begin, int64_t end) {
  if (impl_->buffer.is_same(impl_->gradients)) return;
  copy_numbers(impl_->buffer.narrow(0, begin, end - begin), impl_->gradients.narrow(0, begin, end - begin));
}

void* ExchangeBuffer::load_word_rows(std::span<const int32_t> ids) {
  Impl& m = *impl_;
  check_ids(ids, m.word_gradient.size(0));
  m.ids = to_device(indices_in(m.host_ids, ids), m.word_gradient.device());
  const auto count = static_cast<int64_t>(ids.size()), dim = m.word_gradient.size(1);
  at::index_select_out(fit(m.rows, count, dim, m.word_gradient), m.word_gradient, 0, m.ids);
  if (!m.exchanged_rows.defined()) m.exchanged_rows = buffer_for(m.rows, form_);
  fit(m.exchanged_rows, count, dim, m.exchanged_rows);
  copy_numbers(m.rows, m.exchanged_rows);
  return m.exchanged_rows.mutable_data_ptr();
}

void ExchangeBuffer::store_word_rows() {
  copy_numbers(impl_->exchanged_rows, impl_->rows);
  impl_->word_gradient.index_copy_(0, impl_->ids, impl_->rows);
}

}  // namespace lockstep::model
