#include "dist/bucket_plan.h"

#include <stdexcept>
#include <string>

namespace lockstep::dist {
namespace {

void require_positive(int64_t value, const char* name) {
  if (value <= 0) throw std::invalid_argument(std::string(name) + " must be positive, found " + std::to_string(value));
}

}  // namespace

std::vector<Bucket> plan_buckets(std::span<const int64_t> parameter_sizes, const BucketPlanOptions& options) {
  require_positive(options.first_bucket_bytes, "first_bucket_bytes");
  require_positive(options.bucket_cap_bytes, "bucket_cap_bytes");
  std::vector<Bucket> plan;
  Bucket open;
  for (const int64_t size : parameter_sizes) {
    require_positive(size, "a parameter's size");
    const int64_t cap = plan.empty() ? options.first_bucket_bytes : options.bucket_cap_bytes;
    const int64_t cap_elements = cap / static_cast<int64_t>(sizeof(float));
    if (open.end > open.begin && open.end - open.begin + size > cap_elements) {
      plan.push_back(open);
      open.begin = open.end;
    }
    open.end += size;
  }
  if (open.end > open.begin) plan.push_back(open);
  return plan;
}

}  // namespace lockstep::dist
