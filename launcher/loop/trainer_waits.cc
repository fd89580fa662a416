// What a Trainer finds out about waiting: ranks and networks that are slow.
#include <algorithm>
#include <numeric>

#include "dist/link_speed.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/loop/trainer.h"

namespace lockstep {

void Trainer::take_times(const std::vector<double>& own, const std::vector<double>& exposed, StepStats& stats) {
  stats.rank_seconds = own;
  for (size_t rank = 0; rank < own.size(); ++rank)
    stats.seconds = std::max(stats.seconds, own[rank] + exposed[rank]);
  stats.exposed_seconds = std::accumulate(exposed.begin(), exposed.end(), 0.0) / static_cast<double>(exposed.size());
  stats.network_seconds = *std::min_element(exposed.begin(), exposed.end());
}

void Trainer::look_for_waits(const StepStats& stats) {
  if (const auto straggler = stragglers_.observe(stats.rank_seconds)) warn_of(*straggler);
  if (first_ranks_.size() < 2) return;
  if (const auto network = slow_network_.observe(stats.seconds, stats.network_seconds)) warn_of(*network);
}

void Trainer::warn_of(const Stragglers::Straggler& straggler) const {
  if (!job_.is_main()) return;
  log_warning(
      formatted("rank %d (%s) keeps the others waiting: it takes %.0f ms for its part of a step, they take %.0f ms. "
                "Look for other work, a hot GPU or a slow disk there",
                straggler.rank, hosts_.at(static_cast<size_t>(straggler.rank)).c_str(), 1000 * straggler.seconds,
                1000 * straggler.others_seconds));
}

void Trainer::warn_of(const SlowNetwork::Finding& network) {
  int64_t elements = 0;
  for (const BucketRecord& bucket : sync_.buckets())
    elements += bucket.elements;
  const double bytes = static_cast<double>(elements) * (options_.ddp_comm_hook == "bf16" ? 2 : 4);
  const std::string words = words_on_network();
  if (!job_.is_main()) return;
  log_warning(
      formatted(
          "the network keeps the ranks waiting: of a step's %.0f ms, %.0f ms are for %.1f MB of gradients to travel. ",
          1000 * network.step_seconds, 1000 * network.network_seconds, bytes / 1e6) +
      words);
}

/// Gradients between GPUs may take another network than MPI's messages, of which nothing is known here.
std::string Trainer::words_on_network() {
  if (job_.gradients().takes_device_memory()) return "They travel by " + job_.gradients().description();
  const dist::ActivityLog::Wait wait(job_.activity(), "measuring links");
  const auto links = dist::measure_links(job_.control(), first_ranks_, [this] { job_.activity().progress(); });
  return "Measured just now, " + words_on_links(links, hosts_);
}

}  // namespace lockstep
