#include "dist/reducer.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace lockstep::dist {
namespace {

std::string name_of(const Bucket& bucket, size_t index) {
  return "bucket " + std::to_string(index) + " [" + std::to_string(bucket.begin) + ", " + std::to_string(bucket.end) +
         ")";
}

void require_tiling(const std::vector<Bucket>& plan, size_t elements) {
  int64_t expected_begin = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    if (plan[i].begin != expected_begin || plan[i].end <= plan[i].begin)
      throw std::invalid_argument(name_of(plan[i], i) +
                                  " does not continue the plan: it must be non-empty and begin at " +
                                  std::to_string(expected_begin));
    expected_begin = plan[i].end;
  }
  if (expected_begin != static_cast<int64_t>(elements))
    throw std::invalid_argument("the bucket plan covers " + std::to_string(expected_begin) +
                                " elements, the gradient has " + std::to_string(elements));
}

}  // namespace

Reducer::Reducer(Communicator& communicator, std::vector<Bucket> plan, Gradients gradients)
    : communicator_(communicator),
      plan_(std::move(plan)),
      gradients_(gradients),
      ready_(plan_.size(), false),
      travelling_(plan_.size()) {
  require_tiling(plan_, std::visit([](auto values) { return values.size(); }, gradients_));
}

Reducer::~Reducer() {
  if (next_ > 0) communicator_.abort(kAbortExitCode, kAbortDeadlineSeconds);
}

void Reducer::mark_ready(size_t index) {
  const Bucket& marked = bucket(index);
  std::visit([&](auto values) { mark_ready(index, values.subspan(marked.begin, marked.end - marked.begin)); },
             gradients_);
}

void Reducer::mark_ready(size_t index, Gradients values) {
  const Bucket& marked = bucket(index);
  if (ready_[index]) throw std::logic_error(name_of(marked, index) + " was marked ready twice in one step");
  ready_[index] = true;
  travelling_[index] = values;
  for (; next_ < plan_.size() && ready_[next_]; ++next_)
    std::visit([&](auto bucket_values) { communicator_.start_all_reduce_sum(bucket_values); }, travelling_[next_]);
}

void Reducer::finish() {
  std::string missing;
  for (size_t i = 0; i < plan_.size(); ++i)
    if (!ready_[i]) missing += (missing.empty() ? "" : ", ") + name_of(plan_[i], i);
  if (!missing.empty())
    throw std::logic_error("never marked ready in this step: " + missing +
                           "; every rank marks every bucket once, also without examples");
  times_ = communicator_.wait();
  std::fill(ready_.begin(), ready_.end(), false);
  next_ = 0;
}

}  // namespace lockstep::dist
