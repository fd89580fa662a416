#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/checkpoint/folder_owner.h"
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

/// "8.96 examples/s, 1860 tokens/s, 0.112 TFLOP/s", and how much of the peak that is where it is known.
std::string speed_words(const Throughput& speed);
/// ", communication exposed 4.6 %"; "" with one rank.
std::string exposed_words(const Throughput& speed);

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

/// Everything that was measured in a run, in order; written through to metrics.jsonl as it comes (rank 0). What a full
/// disk does not take is written with the next record for which there is room; each failure is a warning.
class RunHistory {
 public:
  /// Starts an empty metrics.jsonl in `folder`; an empty path keeps the history in memory only (other ranks). `owner`
  /// must outlive it: this and add() throw LockedError if the folder is another job's by now.
  explicit RunHistory(const std::filesystem::path& folder, const FolderOwner* owner = nullptr);

  void add(const TrainRecord& record);
  void add(const EpochRecord& record);
  void add(const EvalRecord& record);
  const std::vector<EvalRecord>& evaluations() const { return evaluations_; }
  const std::vector<TrainRecord>& training() const { return training_; }
  /// Every record exactly, a line of JSON each, for a run that goes on later; log() rounds.
  const std::string& records() const { return records_; }
  /// Starts over with records(): metrics.jsonl then holds these and no others. Throws DataError for what is not JSON,
  /// nlohmann::json::exception and std::invalid_argument for other than its own lines.
  void restore(std::string_view records);
  /// Writes what metrics.jsonl lacks, if anything; for the end of a run. Throws std::system_error if that fails again.
  void catch_up();
  const nlohmann::json& log() const { return log_; }  // as HF's trainer_state.json "log_history"

 private:
  void add_exact(const nlohmann::json& record);
  void append(const nlohmann::json& exact, const nlohmann::json& record);
  void write_all();

  const FolderOwner* owner_;
  std::filesystem::path file_;
  bool is_behind_ = false;  // the file lacks records
  std::vector<TrainRecord> training_;
  std::vector<EvalRecord> evaluations_;
  std::string records_;
  nlohmann::json log_ = nlohmann::json::array();
};

/// {"eval_loss": ..., "eval_accuracy": ..., "eval_runtime": ...}.
nlohmann::json eval_json(const EvalResult& result);

}  // namespace lockstep
