#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "launcher/evaluator.h"

namespace lockstep {

/// What was done in one second of training; pauses for evaluations and files do not count.
struct Throughput {
  double samples = 0;
  double tokens = 0;  // without padding: there is none
  double flops = 0;   // that forward and backward of these tokens need, recomputation and the optimizer not counted
  double utilization = 0;  // of all GPUs' peak; 0 where it is not known
  double exposed = 0;      // of that second, in which steps stood still for gradients; 0 with one rank
};

/// One log record of training, Hugging Face's keys.
struct TrainRecord {
  int64_t step = 0;
  double epoch = 0;
  double loss = 0;  // mean over the examples since the record before
  double grad_norm = 0;
  double learning_rate = 0;
  Throughput per_second = {};                  // mean since the record before
  std::optional<double> exposed_seconds = {};  // seconds a step, mean since the record before; none with one rank
  std::vector<double> rank_seconds = {};       // a step, every rank's own, likewise
  std::optional<double> network_seconds = {};  // of exposed_seconds: what no other rank was waited for
};

/// The training steps of one epoch.
struct EpochRecord {
  int64_t step = 0;  // at its end
  double epoch = 0;
  double loss = 0;
  double seconds = 0;
  Throughput per_second = {};
};

struct EvalRecord {
  int64_t step = 0;
  double epoch = 0;
  double training_loss = 0;  // mean over the examples since the evaluation before
  EvalResult result;
};

using RunRecord = std::variant<TrainRecord, EpochRecord, EvalRecord>;

/// Every number of a record exactly, as it stands in a checkpoint's history.jsonl.
nlohmann::json exact_json(const TrainRecord& record);
nlohmann::json exact_json(const EpochRecord& record);
nlohmann::json exact_json(const EvalRecord& record);

/// What exact_json() wrote, one a line. Throws DataError naming `where` (the file) and the line for anything else;
/// takes no more memory than grows with the text.
std::vector<RunRecord> parse_records(std::string_view lines, const std::string& where);

}  // namespace lockstep
