#pragma once

#include <stdexcept>
#include <utility>

#include "dist/agreement.h"

namespace lockstep {

/// One rank failed where all meet; every rank throws this with the same content, so that the job leaves together.
class AgreedFailure : public std::runtime_error {
 public:
  explicit AgreedFailure(dist::Failure failure) : std::runtime_error(failure.message), failure_(std::move(failure)) {}
  const dist::Failure& failure() const { return failure_; }

 private:
  dist::Failure failure_;
};

}  // namespace lockstep
