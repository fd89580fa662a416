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

}  // namespace

GradientSync::GradientSync(model::DistilBert& model, dist::Communicator& communicator, double bucket_cap_mib)
    : model_(model), reducer_(communicator, plan_for(model.layout(), bucket_cap_mib), model.host_gradients()) {}

void GradientSync::frontier_moved(int64_t end) {
  for (; next_ < reducer_.bucket_count() && reducer_.bucket(next_).end <= end; ++next_) {
    model_.download_gradients(reducer_.bucket(next_).begin, reducer_.bucket(next_).end);
    reducer_.mark_ready(next_);
  }
}

void GradientSync::finish() {
  reducer_.finish();
  model_.upload_gradients(0, model_.layout().size);
  next_ = 0;
}

}  // namespace lockstep
