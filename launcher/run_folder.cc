#include "launcher/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "data/atomic_file.h"
#include "launcher/checkpoint/store.h"
#include "launcher/errors.h"
#include "launcher/log.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

void require_own_folder(const TrainInputs& in, const fs::path& folder) {
  if (fs::exists(folder) && fs::exists(in.model_folder) && fs::equivalent(folder, in.model_folder))
    throw SettingsError("--output_dir " + folder.string() + " is the model's own folder; its weights would be lost");
}

/// Checkpoints of an earlier run are never removed: a new run's are newer than all of them, whatever their steps.
void require_nothing_to_lose(const TrainInputs& in, const fs::path& folder) {
  const std::vector<StoredCheckpoint> stored = list_checkpoints(folder);
  if (in.options.overwrite_output_dir) {
    if (!stored.empty())
      log_warning(folder.string() + " keeps " + std::to_string(stored.size()) + " checkpoints of an earlier run");
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
}

/// They are in nobody's way but for the space.
void remove_leftovers(const fs::path& folder) {
  try {
    remove_unfinished(folder);
  } catch (const std::system_error& error) {
    log_warning(std::string("what an earlier job left unfinished cannot be removed: ") + error.what());
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
  data::make_folders(folder);
  lock_ = lock(folder / "train.log");
  owner_.emplace(folder);
  log_to_file(folder / "train.log");
  remove_leftovers(folder);
}

void RunFolder::begin(bool goes_on) {
  const fs::path folder = inputs_.options.output_dir;
  if (!goes_on) require_nothing_to_lose(inputs_, folder);
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
