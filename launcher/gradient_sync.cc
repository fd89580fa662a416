#include "launcher/gradient_sync.h"

namespace lockstep {

namespace {

std::vector<dist::Bucket> plan_for(const model::ParameterLayout& layout, double bucket_cap_mib) {
  std::vector<int64_t> sizes;
  for (const model::ParameterSlot& slot : layout.slots)
    sizes.push_back(slot.size);
  dist::BucketPlanOptions options;
  options.bucket_cap_bytes = static_cast<int64_t>(bucket_cap_mib * (1 << 20));
  return dist::plan_buckets(sizes, options);
}

dist::Gradients values_of(model::ExchangeBuffer& buffer, int64_t elements) {
  const auto size = static_cast<size_t>(elements);
  if (buffer.form().bfloat16) return std::span(static_cast<dist::BFloat16*>(buffer.data()), size);
  return std::span(static_cast<float*>(buffer.data()), size);
}

}  // namespace

GradientSync::GradientSync(model::DistilBert& model, dist::Communicator& communicator,
                           const GradientSyncOptions& options)
    : elements_(model.layout().size),
      buffer_(model, {.bfloat16 = options.bfloat16, .on_host = !communicator.takes_device_memory()}),
      reducer_(communicator, plan_for(model.layout(), options.bucket_cap_mib), values_of(buffer_, elements_)) {}

void GradientSync::frontier_moved(int64_t end) {
  for (; next_ < reducer_.bucket_count() && reducer_.bucket(next_).end <= end; ++next_) {
    buffer_.load(reducer_.bucket(next_).begin, reducer_.bucket(next_).end);
    reducer_.mark_ready(next_);
  }
}

void GradientSync::finish() {
  reducer_.finish();
  buffer_.store(0, elements_);
  next_ = 0;
}

}  // namespace lockstep
