#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launcher/checkpoint/folder_owner.h"
#include "launcher/checkpoint/shard.h"
#include "launcher/job/job.h"

namespace lockstep {

/// Where the training is, and all that a step changes beside parameters and moments.
struct TrainingPlace {
  int64_t step = 0;
  int64_t epoch = 0;
  int64_t cursor = 0;            // examples done of the epoch
  int64_t kept_step = -1;        // of the best evaluation: a checkpoint of it is never surplus
  bool with_best_model = false;  // the run folder's model is the best one, and goes with the checkpoint
  nlohmann::json training;       // rank 0's counts
  std::string history;           // rank 0's: the records of all that was logged
  std::string trainer_state;     // rank 0's: the text of Hugging Face's file of that name
};

/// Copies elements [begin, begin + size) of the state, `part` having its size.
using StateReader = std::function<void(int64_t begin, FlatState& part)>;

struct SaveCounts {
  int64_t written = 0;
  int64_t newest = -1;  // step of the last one that was written
  int64_t failed = 0;
  int64_t skipped = 0;  // because the one before was still being written
  bool last_failed = false;
  std::string last_problem;  // of the last one that failed
};

/// What all checkpoints of a run have in common.
struct CheckpointFacts {
  std::filesystem::path run_folder;
  std::string run;
  int64_t attempt = 1;
  RunFacts facts;
  std::vector<TensorShape> tensors;
  int64_t limit = 0;  // how many to keep; 0: all
  /// Rank 0's: content by name of what makes a model's folder of the parameters, its config.json and tokenizer.
  std::map<std::string, std::string> model_files = {};
  /// Rank 0's, which must outlive the saver: asked before the folder is changed.
  const FolderOwner* owner = nullptr;
  bool replaces_others = false;  // checkpoints of other runs whose names are needed go
  /// Found damaged when the run went on. Sizes alone may not tell: they are kept aside once it has saved.
  std::vector<std::filesystem::path> damaged = {};
};

/// Writes checkpoints of a run, each rank its part, beside the training: a step waits only for a copy in host memory.
/// All collectives are on the calling thread; ranks tell each other through the sum that every step makes anyway.
class CheckpointSaver {
 public:
  /// `job` must outlive it.
  CheckpointSaver(Job& job, CheckpointFacts facts);
  /// Drops what is not finished.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  /// Collective, and not while is_busy(). Copies the state and begins to write it. Throws LockedError on rank 0, as
  /// hear() and finish(), if the folder is another job's by now.
  void begin(const TrainingPlace& place, const StateReader& read);
  /// The same on all ranks: whether the one before is still being written.
  bool is_busy() const { return stage_ != Stage::kIdle; }
  /// Counts a checkpoint that is left out for that, and tells of it.
  void skip(int64_t step);
  /// What this rank adds to the step's sum, and collective, what it makes of the sum: the next stage, once all are
  /// ready.
  double vote() const;
  void hear(double votes);
  /// Collective. Waits until nothing is being written.
  void finish();

  const SaveCounts& counts() const { return counts_; }

 private:
  /// A rank's part, or why it could not be written.
  struct Part {
    FileReceipt receipt;
    std::string problem;
  };
  enum class Stage { kIdle, kWriting, kCommitting };

  std::string announce(int64_t step);
  void link_best_model();
  FileReceipt keep_best_model();
  void note_best_model(const std::filesystem::path& folder, const FileReceipt& receipt);
  void require_own_folder() const;
  Part write_part(const std::vector<Slice>& slices) noexcept;
  void collect();
  std::string commit(const std::vector<FileReceipt>& receipts);
  std::filesystem::path publish(const std::vector<FileReceipt>& receipts);
  void remove_surplus(const std::filesystem::path& newest) noexcept;
  void conclude();
  bool own_work_is_done() const;
  void wait_for_own_work();

  Job& job_;
  CheckpointFacts facts_;
  ElementRange range_;
  Stage stage_ = Stage::kIdle;
  TrainingPlace place_;               // of the one being written
  std::filesystem::path unfinished_;  // its folder
  /// Rank 0's newest checkpoint's best model.
  struct KeptBest {
    std::filesystem::path path;
    int64_t step = -1;  // that it is of
    FileReceipt receipt;
    std::filesystem::file_time_type written;  // nobody has written into it since
  };
  KeptBest best_;
  enum class BestFrom { kCopy, kRunFolder, kCheckpointBefore };
  BestFrom best_from_ = BestFrom::kCopy;  // what the best model of the one being written is another name of
  FlatState snapshot_;                    // this rank's part of it
  WrittenBytes written_{0};
  std::future<Part> part_;           // while kWriting
  std::future<std::string> commit_;  // rank 0's, while kCommitting: "" or what went wrong
  std::string surplus_problem_;      // set on rank 0's I/O thread, read once that is done
  SaveCounts counts_;
};

}  // namespace lockstep
