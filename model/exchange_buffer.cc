#include "model/exchange_buffer.h"

#include <ATen/ATen.h>

#include "model/distilbert_impl.h"

namespace lockstep::model {
namespace {

at::Tensor buffer_for(const at::Tensor& gradients, ExchangeForm form) {
  const bool to_host = form.on_host && !gradients.is_cpu();
  if (!form.bfloat16 && !to_host) return gradients;
  return at::empty(gradients.sizes(), gradients.options()
                                          .dtype(form.bfloat16 ? at::kBFloat16 : at::kFloat)
                                          .device(to_host ? at::Device(at::kCPU) : gradients.device())
                                          .pinned_memory(to_host));
}

}  // namespace

struct ExchangeBuffer::Impl {
  at::Tensor gradients, buffer;  // maybe the same
};

ExchangeBuffer::ExchangeBuffer(DistilBert& model, ExchangeForm form)
    : form_(form),
      impl_(std::make_unique<Impl>(Impl{model.impl_->gradients, buffer_for(model.impl_->gradients, form)})) {}
ExchangeBuffer::~ExchangeBuffer() = default;

void* ExchangeBuffer::data() {
  return impl_->buffer.mutable_data_ptr();
}

void ExchangeBuffer::load(int64_t begin, int64_t end) {
  if (impl_->buffer.is_same(impl_->gradients)) return;
  impl_->buffer.narrow(0, begin, end - begin).copy_(impl_->gradients.narrow(0, begin, end - begin));
}

void ExchangeBuffer::store(int64_t begin, int64_t end) {
  if (impl_->buffer.is_same(impl_->gradients)) return;
  impl_->gradients.narrow(0, begin, end - begin).copy_(impl_->buffer.narrow(0, begin, end - begin));
}

}  // namespace lockstep::model
