#include "launcher/loop/gradient_sync.h"

#include <utility>

namespace lockstep {

namespace {

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

dist::Gradients numbers_at(void* data, const model::ExchangeForm& form, int64_t count) {
  const auto size = static_cast<size_t>(count);
  if (form.bfloat16) return std::span(static_cast<dist::BFloat16*>(data), size);
  return std::span(static_cast<float*>(data), size);
}

}  // namespace

GradientSync::GradientSync(model::DistilBert& model, dist::Communicator& communicator,
                           const GradientSyncOptions& options)
    : config_(model.config()),
      world_size_(communicator.world_size()),
      buffer_(model, {.bfloat16 = options.bfloat16, .on_host = !communicator.takes_device_memory()}),
      reducer_(communicator, plan_for(model.layout(), options.bucket_cap_mib),
               numbers_at(buffer_.data(), buffer_.form(), model.layout().size)) {}

void GradientSync::begin_step(std::vector<int32_t> touched_words) {
  rows_ = std::move(touched_words);
  if (!pays(rows_.size(), config_)) rows_.clear();
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
    buckets_.back().elements = std::ssize(rows_) * config_.dim;
    reducer_.mark_ready(bucket, numbers_at(buffer_.load_word_rows(rows_), buffer_.form(), buckets_.back().elements));
  } else {
    buffer_.load(range.begin, range.end);
    reducer_.mark_ready(bucket);
  }
}

void GradientSync::finish() {
  if (is_alone()) return;
  reducer_.finish();
  for (size_t i = 0; i < buckets_.size(); ++i)
    buckets_[i].reduction = reducer_.times().reductions.at(i);
  store_sums();
  rows_.clear();
  next_ = 0;
}

void GradientSync::store_sums() {
  const dist::Bucket& words = reducer_.bucket(reducer_.bucket_count() - 1);
  buffer_.store(0, rows_.empty() ? words.end : words.begin);
  if (!rows_.empty()) buffer_.store_word_rows();
}

}  // namespace lockstep
