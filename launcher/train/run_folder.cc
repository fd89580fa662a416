#include "launcher/train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "data/atomic_file.h"
#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/job/log.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

void require_own_folder(const TrainInputs& in, const fs::path& folder) {
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw SettingsError("--output_dir " + folder.string() + " is a file; name a folder");
  if (fs::exists(folder / "dataset.json"))
    throw SettingsError("--output_dir " + folder.string() + " is a prepared data set; name another folder");
  if (fs::exists(folder) && fs::exists(in.model_folder) && fs::equivalent(folder, in.model_folder))
    throw SettingsError("--output_dir " + folder.string() + " is the model's own folder; its weights would be lost");
}

/// A file of the folder that a run would replace, though none has ever run there. Empty if there is none.
std::string foreign_file_in(const fs::path& folder) {
  if (fs::exists(folder / "train_config.toml")) return "";
  for (const char* file : {"README.md", "config.json", "vocab.txt", "tokenizer.json", "metrics.jsonl"})
    if (fs::exists(folder / file)) return file;
  return "";
}

/// Checkpoints of an earlier run stay as long as this one needs none of their names: its own are newer than all of
/// them, whatever their steps.
void require_nothing_to_lose(const TrainInputs& in, const fs::path& folder) {
  const std::vector<StoredCheckpoint> stored = list_checkpoints(folder);
  if (in.options.overwrite_output_dir) {
    if (!stored.empty())
      log_warning(folder.string() + " holds " + counted(std::ssize(stored), "checkpoint") +
                  " of an earlier run; those whose step this run saves as well are replaced");
    return;
  }
  if (!stored.empty())
    throw SettingsError("--output_dir " + folder.string() + " holds checkpoints, such as " +
                        stored.back().folder.filename().string() +
                        "; go on from them with --resume_from_checkpoint auto, choose another folder, or add "
                        "--overwrite_output_dir to start anew");
  // A requeued job that was killed before its first checkpoint starts anew.
  const bool is_cut_short = fs::exists(folder / "metrics.jsonl") && !fs::exists(folder / "all_results.json");
  if (fs::exists(folder / "model.safetensors") && !(is_cut_short && in.options.resume_from_checkpoint != "never"))
    throw SettingsError("--output_dir " + folder.string() +
                        " already holds a model; choose another folder, or add --overwrite_output_dir to replace it");
  if (const std::string file = foreign_file_in(folder); !file.empty())
    throw SettingsError("--output_dir " + folder.string() + " holds " + file +
                        ", which no run wrote; choose another folder, or add --overwrite_output_dir to replace it");
}

/// Whether going on from `start` is going on with what is in `folder`.
bool is_of_run_in(const fs::path& folder, const StoredCheckpoint& start) {
  const std::vector<StoredCheckpoint> stored = list_checkpoints(folder);
  return std::any_of(stored.begin(), stored.end(), [&](const StoredCheckpoint& checkpoint) {
    return checkpoint.manifest && checkpoint.manifest->run == start.manifest->run;
  });
}

/// They are in nobody's way but for the space.
void remove_leftovers(const fs::path& folder) {
  for (const std::string& problem : remove_unfinished(folder))
    log_warning("what an earlier job left unfinished cannot be removed: " + problem);
}

void make(const fs::path& folder) {
  try {
    data::make_folders(folder);
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "--output_dir " + folder.string() + " cannot be made");
  }
}

/// The kernel drops the lock when the process is gone. File systems without locks are used without.
int lock(const fs::path& file) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "cannot write " + file.string());
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return descriptor;
  close(descriptor);
  throw LockedError("--output_dir " + file.parent_path().string() +
                    ": another run is writing into it at this moment; choose another folder");
}

}  // namespace

RunFolder::RunFolder(const TrainInputs& in) : inputs_(in) {
  const fs::path folder = in.options.output_dir;
  require_own_folder(in, folder);
  make(folder);
  lock_ = lock(folder / "train.log");
  owner_.emplace(folder);
  log_to_file(folder / "train.log");
  remove_leftovers(folder);
}

void RunFolder::begin(const std::optional<StoredCheckpoint>& start) {
  const fs::path folder = inputs_.options.output_dir;
  if (!start || !is_of_run_in(folder, *start)) require_nothing_to_lose(inputs_, folder);
  owner_->require();
  data::write_file_atomically(folder / "train_config.toml", inputs_.settings);
  for (const char* file : {"README.md", "profile.json", "trainer_state.json", "all_results.json", "train_results.json",
                           "eval_results.json"})
    fs::remove(folder / file);
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace lockstep
