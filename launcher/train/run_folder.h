#pragma once

#include <filesystem>
#include <optional>

#include "launcher/checkpoint/folder_owner.h"
#include "launcher/checkpoint/store.h"
#include "launcher/train/train_inputs.h"

namespace lockstep {

/// OUTPUT_DIR while a run writes into it: locked against a second run until the object ends (or the process, however it
/// ends). Rank 0 only.
class RunFolder {
 public:
  /// Creates, locks and takes the folder, starts train.log and removes checkpoints that an earlier process left
  /// unfinished.
  /// Throws SettingsError if the folder is the base model's own, LockedError if it is another run's at this moment,
  /// std::system_error if it cannot be written.
  explicit RunFolder(const TrainInputs& inputs);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// The run begins, or goes on from a checkpoint: writes train_config.toml. The cards and figures of an earlier run
  /// are removed, since they would describe this run's model; its model stays until this run has a better one to offer.
  /// A run that does not go on from a checkpoint of its own folder's run throws SettingsError instead if the folder
  /// holds a model, or checkpoints, and --overwrite_output_dir was not given.
  void begin(const std::optional<StoredCheckpoint>& start);

  /// Asked before anything in the folder is changed from now on.
  const FolderOwner& owner() const { return *owner_; }

 private:
  const TrainInputs& inputs_;
  int lock_ = -1;
  std::optional<FolderOwner> owner_;
};

}  // namespace lockstep
