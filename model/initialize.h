#pragma once

#include <cstdint>
#include <span>

#include "model/config.h"
#include "model/parameter_layout.h"

namespace lockstep::model {

/// Fills one slot's `values` as Hugging Face initializes that parameter. A pure function of its arguments.
void initialize_slot(const DistilBertConfig& config, const ParameterSlot& slot, uint64_t seed, std::span<float> values);

/// pre_classifier and classifier: what a base model lacks.
bool is_head(const ParameterSlot& slot);

}  // namespace lockstep::model
