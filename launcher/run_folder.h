#pragma once

#include <filesystem>

#include "launcher/train_inputs.h"

namespace lockstep {

/// OUTPUT_DIR while a run writes into it: locked against a second run until the object ends (or the process, however it
/// ends). Rank 0 only.
class RunFolder {
 public:
  /// Creates the folder, writes train_config.toml and starts train.log. Throws SettingsError if the folder is the base
  /// model's own, holds a model that may not be replaced, or is another run's at this moment; std::system_error if it
  /// cannot be written. The cards and figures of an earlier run are removed, since they would describe this run's
  /// model; its model stays until this run has a better one to offer.
  explicit RunFolder(const TrainInputs& inputs);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

 private:
  int lock_ = -1;
};

}  // namespace lockstep
