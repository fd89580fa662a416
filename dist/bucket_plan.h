#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::dist {

/// Elements [begin, end) of the flat gradient that travel together.
struct Bucket {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const Bucket&) const = default;
};

struct BucketPlanOptions {
  int64_t first_bucket_bytes = 1 << 20;  // small, so that communication starts early
  int64_t bucket_cap_bytes = 25 << 20;   // Hugging Face's and DDP's ddp_bucket_cap_mb
};

/// Cuts the flat gradient into buckets: whole parameters, in order, a bucket closing before it would pass its cap; a
/// parameter larger than the cap is a bucket of its own. A pure function of its arguments: all ranks get the same plan
/// without talking. `parameter_sizes` are in elements, in the flat layout's (backward) order.
std::vector<Bucket> plan_buckets(std::span<const int64_t> parameter_sizes, const BucketPlanOptions& options = {});

}  // namespace lockstep::dist
