#pragma once

#include <string>

#include "launcher/train/run_report.h"

namespace lockstep {

/// The model card, README.md, in the layout of Hugging Face's Trainer.
std::string model_card(const RunReport& report, const RunHistory& history, const TrainSummary& summary);

}  // namespace lockstep
