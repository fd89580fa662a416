#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "launcher/loop/run_history.h"

namespace lockstep {

/// Results of somebody else's run, by epoch.
struct PublishedResult {
  double loss = 0, precision = 0, recall = 0, f1 = 0, accuracy = 0;
};
/// CSV with the header "epoch,loss,precision,recall,f1,accuracy"; throws UsageError naming file and line.
std::map<int64_t, PublishedResult> read_published_results(const std::filesystem::path& csv);

/// The evaluations as aligned columns for a terminal, the row of `best_step` marked; `published`, if any, to the right
/// of ours. `heading`: what was trained and evaluated on.
std::string results_table(const std::string& heading, const std::vector<EvalRecord>& evaluations, int64_t best_step,
                          const std::map<int64_t, PublishedResult>& published);

/// Rows: labels, columns: predictions. Of more than twenty classes only the ten most frequent confusions.
std::string confusion_table(const model::ConfusionMatrix& matrix, const std::vector<std::string>& labels);

/// "0.8833 (95 %: 0.8421 to 0.9149)".
std::string accuracy_with_interval(const model::ConfusionMatrix& matrix);

}  // namespace lockstep
