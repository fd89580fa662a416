#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "launcher/loop/run_history.h"

namespace lockstep {

/// One piece of advice; `topic` stays the same while its numbers change.
struct Advice {
  std::string topic;  // "overfitting", "oscillation", "chance"
  std::string text;
};

/// What a colleague would say looking at these numbers, full sentences, each with a remedy. Pure; empty if all looks
/// well.
///  - validation loss rises while training loss falls (which epoch to keep);
///  - training loss goes up and down by more than its trend (learning rate);
///  - both losses stay at chance (labels).
std::vector<Advice> advise(const std::vector<TrainRecord>& training, const std::vector<EvalRecord>& evaluations,
                           int64_t classes);

/// Labels of the examples about to be trained: warns if one class makes up nearly all of them.
std::vector<std::string> advise_on_labels(const std::vector<int64_t>& examples_per_label,
                                          const std::vector<std::string>& names);

}  // namespace lockstep
