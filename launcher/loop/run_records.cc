#include "launcher/loop/run_records.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "data/error.h"
#include "data/json_text.h"
#include "model/config.h"

namespace lockstep {

namespace {

using data::JsonFields;

constexpr int64_t kMostCounted = int64_t{1} << 48;  // steps, examples of an evaluation: no sum of them overflows

nlohmann::json exact_json(const Throughput& speed) {
  return {speed.samples, speed.tokens, speed.flops, speed.utilization, speed.exposed};
}

/// As [cell, count].
nlohmann::json cells_of(const model::ConfusionMatrix& matrix) {
  nlohmann::json cells = nlohmann::json::array();
  for (const auto& [cell, count] : matrix.cells())
    cells.push_back({cell, count});
  return cells;
}

int64_t count_at(const nlohmann::json& json, const char* key, int64_t least, int64_t most) {
  return JsonFields::count_of(json.at(key), key, least, most);
}

/// A plain number is the count of its own place: checkpoints had all cells before.
model::ConfusionMatrix matrix_of(int64_t classes, const nlohmann::json& cells) {
  model::ConfusionMatrix matrix(classes);
  int64_t left = kMostCounted;
  for (size_t i = 0; i < cells.size(); ++i) {
    const bool is_pair = cells[i].is_array();
    const int64_t cell = is_pair
                             ? JsonFields::count_of(cells[i].at(0), "a place in confusion", 0, classes * classes - 1)
                             : static_cast<int64_t>(i);
    const int64_t count = JsonFields::count_of(is_pair ? cells[i].at(1) : cells[i], "a count in confusion", 0, left);
    matrix.add_to(cell, count);
    left -= count;
  }
  return matrix;
}

Throughput throughput_of(const nlohmann::json& json) {
  return {json.at(0), json.at(1), json.at(2), json.at(3), json.size() > 4 ? json[4].get<double>() : 0};
}

TrainRecord train_record_of(const nlohmann::json& json) {
  TrainRecord r{count_at(json, "step", 0, kMostCounted), json.at("epoch"), json.at("loss"), json.at("grad_norm"),
                json.at("learning_rate")};
  r.per_second = throughput_of(json.at("per_second"));
  if (json.contains("exposed_communication")) r.exposed_seconds = json["exposed_communication"].get<double>();
  if (json.contains("network")) r.network_seconds = json["network"].get<double>();
  if (json.contains("rank_seconds")) r.rank_seconds = json["rank_seconds"].get<std::vector<double>>();
  return r;
}

EpochRecord epoch_record_of(const nlohmann::json& json) {
  return {count_at(json, "step", 0, kMostCounted), json.at("epoch"), json.at("epoch_loss"), json.at("seconds"),
          throughput_of(json.at("per_second"))};
}

EvalRecord eval_record_of(const nlohmann::json& json) {
  EvalResult result{json.at("loss"),
                    matrix_of(count_at(json, "classes", 1, model::kMostLabels), json.at("confusion")),
                    {},
                    json.at("seconds")};
  result.metrics = model::metrics_of(result.confusion);
  return {count_at(json, "step", 0, kMostCounted), json.at("epoch"), json.at("training_loss"), std::move(result)};
}

RunRecord record_of(const nlohmann::json& json) {
  if (json.contains("confusion")) return eval_record_of(json);
  if (json.contains("epoch_loss")) return epoch_record_of(json);
  return train_record_of(json);
}

RunRecord record_in(std::string_view line, const std::string& where) {
  try {
    return record_of(data::parse_json(line));
  } catch (const data::DataError& error) {
    throw data::DataError(where + ": " + error.what());
  } catch (const nlohmann::json::exception& error) {
    throw data::DataError(where + ": " + error.what());
  } catch (const std::invalid_argument& error) {  // more cells than the matrix has
    throw data::DataError(where + ": " + error.what());
  }
}

}  // namespace

/// Keys as in checkpoints that are there already.
nlohmann::json exact_json(const TrainRecord& r) {
  nlohmann::json json = {{"step", r.step},
                         {"epoch", r.epoch},
                         {"loss", r.loss},
                         {"grad_norm", r.grad_norm},
                         {"learning_rate", r.learning_rate},
                         {"per_second", exact_json(r.per_second)}};
  if (r.exposed_seconds) json["exposed_communication"] = *r.exposed_seconds;
  if (r.rank_seconds.size() > 1) json["rank_seconds"] = r.rank_seconds;
  if (r.network_seconds) json["network"] = *r.network_seconds;
  return json;
}

nlohmann::json exact_json(const EpochRecord& r) {
  return {{"step", r.step},
          {"epoch", r.epoch},
          {"epoch_loss", r.loss},
          {"seconds", r.seconds},
          {"per_second", exact_json(r.per_second)}};
}

nlohmann::json exact_json(const EvalRecord& r) {
  return {{"step", r.step},
          {"epoch", r.epoch},
          {"training_loss", r.training_loss},
          {"loss", r.result.loss},
          {"confusion", cells_of(r.result.confusion)},
          {"classes", r.result.confusion.classes()},
          {"seconds", r.result.seconds}};
}

std::vector<RunRecord> parse_records(std::string_view lines, const std::string& where) {
  std::vector<RunRecord> records;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    records.push_back(record_in(line, where + ", line " + std::to_string(records.size() + 1)));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
  }
  return records;
}

}  // namespace lockstep
