#include "launcher/train/results_table.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <ranges>
#include <sstream>

#include "launcher/cli/printable_text.h"
#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

constexpr const char* kColumns = "%8s %9s %9s %9s %9s";

std::string metric_cells(double loss, const model::ClassificationMetrics& m) {
  return formatted("%8.4f %9.4f %9.4f %9.4f %9.4f", loss, m.precision, m.recall, m.f1, m.accuracy);
}

std::string metric_cells(const PublishedResult& p) {
  return metric_cells(p.loss, {p.accuracy, p.precision, p.recall, p.f1});
}

std::string row_of(const EvalRecord& record, int64_t best_step, const std::map<int64_t, PublishedResult>& published) {
  std::string row = formatted("%c%6.2f %7lld %11.4f  ", record.step == best_step ? '*' : ' ', record.epoch,
                              static_cast<long long>(record.step), record.training_loss) +
                    metric_cells(record.result.loss, record.result.metrics);
  const auto theirs = published.find(static_cast<int64_t>(std::llround(record.epoch)));
  const bool whole_epoch = std::abs(record.epoch - std::round(record.epoch)) < 1e-9;
  if (whole_epoch && theirs != published.end()) row += "  | " + metric_cells(theirs->second);
  return row;
}

PublishedResult parse_result(const std::string& line, int64_t* epoch, const std::string& where) {
  std::istringstream fields(line);
  double numbers[6] = {};
  for (double& number : numbers) {
    std::string field;
    std::getline(fields, field, ',');
    char* end = nullptr;
    number = std::strtod(field.c_str(), &end);
    if (field.empty() || *end != '\0')
      throw UsageError(where + ": expected six numbers \"epoch,loss,precision,recall,f1,accuracy\", found: " + line);
  }
  *epoch = static_cast<int64_t>(numbers[0]);
  return {numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
}

/// The cells off the diagonal with the largest counts, the first of equals.
std::string most_frequent_confusions(const model::ConfusionMatrix& matrix, const std::vector<std::string>& labels) {
  struct Confusion {
    int64_t label, prediction, count;
  };
  std::vector<Confusion> wrong;
  for (const auto& [cell, count] : matrix.cells())
    if (const int64_t label = cell / matrix.classes(), prediction = cell % matrix.classes(); label != prediction)
      wrong.push_back({label, prediction, count});
  std::ranges::stable_sort(wrong, std::ranges::greater(), &Confusion::count);
  std::string list = formatted("most frequent confusions of %zu classes, true as predicted:", labels.size());
  for (const auto& [label, prediction, count] : wrong | std::views::take(10))
    list += formatted("\n%6lld  ", static_cast<long long>(count)) + printable_text(labels.at(label)) + " as " +
            printable_text(labels.at(prediction));
  return list + "\n";
}

}  // namespace

std::map<int64_t, PublishedResult> read_published_results(const std::filesystem::path& csv) {
  std::ifstream file(csv);
  std::string line;
  if (!std::getline(file, line))
    throw UsageError("--published_results " + csv.string() + ": the file cannot be read or is empty");
  std::map<int64_t, PublishedResult> results;
  for (int64_t number = 2; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    int64_t epoch = 0;
    const PublishedResult result = parse_result(line, &epoch, csv.string() + ", line " + std::to_string(number));
    results[epoch] = result;
  }
  return results;
}

std::string results_table(const std::string& heading, const std::vector<EvalRecord>& evaluations, int64_t best_step,
                          const std::map<int64_t, PublishedResult>& published) {
  const std::string metric_names = formatted(kColumns, "loss", "precision", "recall", "F1", "accuracy");
  std::string table = heading + "\n";
  if (!published.empty()) table += formatted("%-77s  | %s\n", "", "published");
  table += "  epoch    step  train loss  " + metric_names + (published.empty() ? "" : "  | " + metric_names) + "\n";
  for (const EvalRecord& record : evaluations)
    table += row_of(record, best_step, published) + "\n";
  return table;
}

std::string confusion_table(const model::ConfusionMatrix& matrix, const std::vector<std::string>& labels) {
  constexpr size_t kMostClasses = 20, kTerminalColumns = 100;
  size_t width = 9;
  for (const std::string& label : labels)
    width = std::max(width, printable_text(label).size());
  if (labels.size() > kMostClasses || (labels.size() > 2 && (labels.size() + 1) * (width + 2) > kTerminalColumns))
    return most_frequent_confusions(matrix, labels);
  const auto field = [&](const std::string& text) {
    return std::string(width + 2 - std::min(width, text.size()), ' ') + text;
  };
  std::string table = field("") + "  predicted\n" + field("true");
  for (const std::string& label : labels)
    table += field(printable_text(label));
  table += '\n';
  for (int64_t label = 0; label < matrix.classes(); ++label) {
    table += field(printable_text(labels.at(static_cast<size_t>(label))));
    for (int64_t prediction = 0; prediction < matrix.classes(); ++prediction)
      table += field(std::to_string(matrix.at(label, prediction)));
    table += '\n';
  }
  return table;
}

std::string accuracy_with_interval(const model::ConfusionMatrix& matrix) {
  const model::Interval interval = model::wilson_interval(matrix.correct(), matrix.total());
  return formatted("%.4f (95 %%: %.4f to %.4f)", model::metrics_of(matrix).accuracy, interval.low, interval.high);
}

}  // namespace lockstep
