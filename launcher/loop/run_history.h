#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/checkpoint/folder_owner.h"
#include "launcher/loop/run_records.h"

namespace lockstep {

/// "8.96 examples/s, 1860 tokens/s, 0.112 TFLOP/s", and how much of the peak that is where it is known.
std::string speed_words(const Throughput& speed);
/// ", communication exposed 4.6 %"; "" with one rank.
std::string exposed_words(const Throughput& speed);

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
  /// Starts over with records(): metrics.jsonl then holds these and no others. Throws as parse_records(), and has then
  /// changed nothing.
  void restore(std::string_view records);
  /// Writes what metrics.jsonl lacks, if anything; for the end of a run. Throws std::system_error if that fails again.
  void catch_up();
  const nlohmann::json& log() const { return log_; }  // as HF's trainer_state.json "log_history"

 private:
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
