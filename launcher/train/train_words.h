#pragma once

#include <string>

#include "launcher/loop/trainer.h"
#include "launcher/train/run_report.h"
#include "launcher/train/train_inputs.h"

namespace lockstep {

/// Rank 0, before the first step: what is trained, on what and how, in Trainer's words, and warnings of settings.
void print_banner(const TrainInputs& in, Job& job, const model::DistilBert& model);

/// The table of evaluations, which of them is delivered, and its confusion matrix; "" without evaluations.
std::string results_text(const TrainInputs& in, const RunHistory& history, const TrainSummary& summary,
                         const RunReport& report);

/// The last lines: advice, why the run ended, what could not be written, how long it took, and how to go on.
/// `time_is_over`: it was stopped since the job's time is.
std::string closing_words(const TrainInputs& in, const TrainSummary& summary, int world_size, bool time_is_over);

}  // namespace lockstep
