#include "launcher/replicas.h"

#include <vector>

#include "dist/replica_check.h"

namespace lockstep {

void require_equal_floats(Job& job, std::span<const float> values, const std::string& what) {
  if (job.world_size() == 1) return;
  dist::require_equal_replicas(job.control(), dist::digest_of(std::as_bytes(values)), what);
}

void require_equal_parameters(Job& job, const model::DistilBert& model, const std::string& what) {
  if (job.world_size() == 1) return;
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  model.get_parameters(parameters);
  require_equal_floats(job, parameters, what);
}

}  // namespace lockstep
