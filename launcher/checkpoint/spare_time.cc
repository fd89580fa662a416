#include "launcher/checkpoint/spare_time.h"

#include <sched.h>
#include <unistd.h>

namespace lockstep {

SpareTime::Worker::Worker(SpareTime& time) : time_(time) {
  const std::lock_guard lock(time_.mutex_);
  time_.worker_ = ::gettid();
  time_.apply();
}

SpareTime::Worker::~Worker() {
  const std::lock_guard lock(time_.mutex_);
  time_.worker_ = 0;
}

void SpareTime::hurry(bool on) {
  const std::lock_guard lock(mutex_);
  hurries_ = on;
  apply();
}

void SpareTime::apply() const {
  const sched_param none{};
  if (worker_ != 0) ::sched_setscheduler(worker_, hurries_ ? SCHED_OTHER : SCHED_IDLE, &none);
}

}  // namespace lockstep
