#pragma once

#include <string>
#include <vector>

#include "launcher/plan/training_plan.h"

namespace lockstep {

/// The plan for people: what was assumed, and a table per fabric.
std::string plan_text(const PlanInputs& inputs, const std::vector<FabricPlan>& plans);

/// The plan for programs, one JSON object: bytes, seconds, and besides the rows the seconds of all-reduces of several
/// sizes, to be held against measured ones.
std::string plan_json(const PlanInputs& inputs, const std::vector<FabricPlan>& plans);

}  // namespace lockstep
