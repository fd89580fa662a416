#pragma once

#include <span>
#include <string>

#include "launcher/job/job.h"
#include "model/distilbert.h"

namespace lockstep {

/// Collective. Throws CommunicationError on every rank, naming the ranks that differ from rank 0, unless all have the
/// same bits. One rank compares nothing.
void require_equal_floats(Job& job, std::span<const float> values, const std::string& what);
/// Likewise, of the replicas' parameters.
void require_equal_parameters(Job& job, const model::DistilBert& model, const std::string& what);

}  // namespace lockstep
