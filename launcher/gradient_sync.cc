#include "launcher/gradient_sync.h"

#include <utility>

namespace lockstep {

namespace {

/// MPI moves host memory.
constexpr model::Memory kMemory = model::Memory::kHost;

std::vector<dist::Bucket> plan_for(const model::ParameterLayout& layout, double bucket_cap_mib) {
  const model::ParameterSlot& words = layout.word_embeddings();
  std::vector<int64_t> sizes;
  for (const model::ParameterSlot& slot : layout.slots)
    if (slot.offset < words.offset) sizes.push_back(slot.size);
  dist::BucketPlanOptions options;
  options.bucket_cap_bytes = static_cast<int64_t>(bucket_cap_mib * (1 << 20));
  std::vector<dist::Bucket> plan = dist::plan_buckets(sizes, options);
  plan.push_back({words.offset, words.offset + words.size});
  return plan;
}

/// Gathering and scattering move each row twice more than reducing it in place.
bool pays(size_t rows, const model::DistilBertConfig& config) {
  return rows > 0 && 2 * static_cast<int64_t>(rows) <= config.vocab_size;
}

}  // namespace

GradientSync::GradientSync(model::DistilBert& model, dist::Communicator& communicator, double bucket_cap_mib)
    : model_(model),
      world_size_(communicator.world_size()),
      reducer_(communicator, plan_for(model.layout(), bucket_cap_mib), model.host_gradients()) {}

void GradientSync::begin_step(std::vector<int32_t> touched_words) {
  rows_ = std::move(touched_words);
  if (!pays(rows_.size(), model_.config())) rows_.clear();
}

void GradientSync::frontier_moved(int64_t end) {
  if (is_alone()) return;
  if (next_ == 0) buckets_.clear();
  for (; next_ < reducer_.bucket_count() && reducer_.bucket(next_).end <= end; ++next_)
    mark_ready(next_);
}

bool GradientSync::travels_by_rows(size_t bucket) const {
  return !rows_.empty() && bucket + 1 == reducer_.bucket_count();
}

void GradientSync::mark_ready(size_t bucket) {
  const dist::Bucket& range = reducer_.bucket(bucket);
  buckets_.push_back({range.end - range.begin, dist::Clock::now(), {}});
  if (travels_by_rows(bucket)) {
    const auto rows = model_.gather_word_gradient_rows(rows_, kMemory);
    buckets_.back().elements = std::ssize(rows);
    reducer_.mark_ready(bucket, rows);
  } else {
    model_.download_gradients(range.begin, range.end);
    reducer_.mark_ready(bucket);
  }
}

void GradientSync::finish() {
  if (is_alone()) return;
  reducer_.finish();
  for (size_t i = 0; i < buckets_.size(); ++i)
    buckets_[i].reduction = reducer_.times().reductions.at(i);
  const dist::Bucket& words = reducer_.bucket(reducer_.bucket_count() - 1);
  model_.upload_gradients(0, rows_.empty() ? words.end : words.begin);
  if (!rows_.empty()) model_.scatter_word_gradient_rows(rows_, kMemory);
  rows_.clear();
  next_ = 0;
}

}  // namespace lockstep
