#include "launcher/run_history.h"

#include <cerrno>
#include <fstream>
#include <system_error>

#include "launcher/format.h"

namespace lockstep {

RunHistory::RunHistory(const std::filesystem::path& folder) {
  if (folder.empty()) return;
  file_ = folder / "metrics.jsonl";
  std::ofstream file(file_, std::ios::trunc);
  if (!file) throw std::system_error(errno, std::generic_category(), file_.string());
}

void RunHistory::append(const nlohmann::json& record) {
  log_.push_back(record);
  if (file_.empty()) return;
  std::ofstream file(file_, std::ios::app);
  file << record.dump() << '\n';
  if (!file.flush()) throw std::system_error(errno, std::generic_category(), file_.string());
}

void RunHistory::add(const TrainRecord& record) {
  training_.push_back(record);
  nlohmann::json json = {{"loss", rounded(record.loss, 4)},
                         {"grad_norm", record.grad_norm},
                         {"learning_rate", record.learning_rate},
                         {"epoch", rounded(record.epoch, 4)},
                         {"step", record.step},
                         {"samples_per_second", rounded(record.per_second.samples, 3)},
                         {"tokens_per_second", rounded(record.per_second.tokens, 1)},
                         {"tflops", rounded(record.per_second.flops / 1e12, 4)}};
  if (record.per_second.utilization > 0) json["mfu"] = rounded(record.per_second.utilization, 4);
  if (record.exposed_communication) json["exposed_communication_s"] = rounded(*record.exposed_communication, 6);
  append(json);
}

void RunHistory::add(const EvalRecord& record) {
  evaluations_.push_back(record);
  nlohmann::json json = eval_json(record.result);
  json["epoch"] = rounded(record.epoch, 4);
  json["step"] = record.step;
  append(json);
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
