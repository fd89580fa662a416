#include "launcher/loop/run_history.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "data/atomic_file.h"
#include "launcher/checkpoint/manifest.h"
#include "launcher/format.h"
#include "launcher/job/log.h"

namespace lockstep {

namespace {

/// Keys that begin with `prefix`.
void add_speed(nlohmann::json& json, const std::string& prefix, const Throughput& speed, bool with_communication) {
  json[prefix + "samples_per_second"] = rounded(speed.samples, 3);
  json[prefix + "tokens_per_second"] = rounded(speed.tokens, 1);
  json[prefix + "tflops"] = rounded(speed.flops / 1e12, 4);
  if (speed.utilization > 0) json[prefix + "mfu"] = rounded(speed.utilization, 4);
  if (with_communication) json[prefix + "exposed_communication"] = rounded(speed.exposed, 4);
}

}  // namespace

RunHistory::RunHistory(const std::filesystem::path& folder, const FolderOwner* owner) : owner_(owner) {
  if (folder.empty()) return;
  if (owner_ != nullptr) owner_->require();
  file_ = folder / "metrics.jsonl";
  data::write_file_atomically(file_, "");  // another file than an earlier job's, which may hold that open
}

void RunHistory::append(const nlohmann::json& exact, const nlohmann::json& record) {
  records_ += exact.dump() + "\n";
  log_.push_back(record);
  if (file_.empty()) return;
  try {
    std::ofstream file(file_, std::ios::app);
    if (owner_ != nullptr) owner_->require();  // what is open by now is the owner's
    if (is_behind_) return write_all();
    file << record.dump() << '\n';
    if (!file.flush()) throw std::system_error(errno, std::generic_category(), "cannot write " + file_.string());
  } catch (const std::system_error& error) {
    is_behind_ = true;
    log_warning(error.what());
  }
}

void RunHistory::catch_up() {
  if (is_behind_) write_all();
}

void RunHistory::write_all() {
  if (owner_ != nullptr) owner_->require();
  std::string lines;
  for (const nlohmann::json& record : log_)
    lines += record.dump() + "\n";
  data::write_file_atomically(file_, lines);
  is_behind_ = false;
}

void RunHistory::restore(std::string_view records) {
  const std::vector<RunRecord> restored = parse_records(records, kHistoryName);
  const std::filesystem::path file = std::exchange(file_, {});  // written in one piece instead
  for (const RunRecord& record : restored)
    std::visit([this](const auto& kind) { add(kind); }, record);
  file_ = file;
  if (!file_.empty()) write_all();
}

void RunHistory::add(const TrainRecord& record) {
  training_.push_back(record);
  nlohmann::json json = {{"loss", rounded(record.loss, 4)},
                         {"grad_norm", record.grad_norm},
                         {"learning_rate", record.learning_rate},
                         {"epoch", rounded(record.epoch, 4)},
                         {"step", record.step}};
  add_speed(json, "", record.per_second, record.exposed_seconds.has_value());
  if (record.exposed_seconds) json["exposed_communication_s"] = rounded(*record.exposed_seconds, 6);
  if (record.network_seconds) json["network_s"] = rounded(*record.network_seconds, 6);
  if (record.rank_seconds.size() > 1)
    for (const double seconds : record.rank_seconds)
      json["rank_seconds"].push_back(rounded(seconds, 6));
  append(exact_json(record), json);
}

void RunHistory::add(const EpochRecord& record) {
  nlohmann::json json = {{"epoch", rounded(record.epoch, 4)},
                         {"step", record.step},
                         {"epoch_loss", rounded(record.loss, 4)},
                         {"epoch_runtime", rounded(record.seconds, 4)}};
  add_speed(json, "epoch_", record.per_second, record.per_second.exposed > 0);
  append(exact_json(record), json);
}

void RunHistory::add(const EvalRecord& record) {
  evaluations_.push_back(record);
  nlohmann::json json = eval_json(record.result);
  json["epoch"] = rounded(record.epoch, 4);
  json["step"] = record.step;
  append(exact_json(record), json);
}

std::string speed_words(const Throughput& speed) {
  const std::string peak = speed.utilization > 0 ? formatted(" (%.1f %% of the peak)", 100 * speed.utilization) : "";
  return formatted("%.2f examples/s, %.0f tokens/s, %.3f TFLOP/s", speed.samples, speed.tokens, speed.flops / 1e12) +
         peak;
}

std::string exposed_words(const Throughput& speed) {
  return speed.exposed > 0 ? formatted(", communication exposed %.1f %%", 100 * speed.exposed) : "";
}

nlohmann::json eval_json(const EvalResult& result) {
  const double seconds = std::max(result.seconds, 1e-9);
  return {{"eval_loss", result.loss},
          {"eval_accuracy", result.metrics.accuracy},
          {"eval_precision", result.metrics.precision},
          {"eval_recall", result.metrics.recall},
          {"eval_f1", result.metrics.f1},
          {"eval_samples", result.examples()},
          {"eval_runtime", rounded(result.seconds, 4)},
          {"eval_samples_per_second", rounded(static_cast<double>(result.examples()) / seconds, 3)}};
}

}  // namespace lockstep
