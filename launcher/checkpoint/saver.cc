#include "launcher/checkpoint/saver.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "data/atomic_file.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/room.h"
#include "launcher/checkpoint/store.h"
#include "launcher/errors.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/job/termination.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

/// Lowers the calling thread's priority. A training's threads wait for each other in every operation, so that whoever
/// takes one of their cores holds up all of them: it is to take what they leave. LOCKSTEP_IO_NICENESS, by how much: on
/// a machine that others keep busy, too, whoever saves often may rather have it 0.
void stand_back() {
  constexpr int kUsual = 10;  // of the 19 steps that there are
  const char* wish = std::getenv("LOCKSTEP_IO_NICENESS");
  const auto self = static_cast<id_t>(gettid());
  setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + (wish != nullptr ? std::atoi(wish) : kUsual));
}

/// On a thread of its own, or at once where the system has none left.
template <typename T>
std::future<T> in_background(const std::function<T()>& work) {
  try {
    return std::async(std::launch::async, [work] {
      stand_back();
      return work();
    });
  } catch (const std::system_error&) {
    std::promise<T> done;
    done.set_value(work());
    return done.get_future();
  }
}

template <typename T>
bool is_ready(const std::future<T>& future) {
  return !future.valid() || future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace

CheckpointSaver::CheckpointSaver(Job& job, CheckpointFacts facts)
    : job_(job),
      facts_(std::move(facts)),
      range_(range_of_rank(size_of(facts_.tensors), job.rank(), job.world_size())) {}

CheckpointSaver::~CheckpointSaver() {
  if (part_.valid()) part_.wait();
  if (commit_.valid()) commit_.wait();
  std::error_code ignored;
  if (is_busy() && job_.is_main()) fs::remove_all(unfinished_, ignored);
}

void CheckpointSaver::begin(const TrainingPlace& place, const StateReader& read) {
  if (is_busy()) throw std::logic_error("a checkpoint is begun while the one before is being written");
  place_ = place;
  const std::string problem = announce(place.step);
  snapshot_.resize(range_.size());
  if (problem.empty()) read(range_.begin, snapshot_);
  failpoint("snapshot");
  stage_ = Stage::kWriting;
  part_ = in_background<Part>([this, problem, slices = slices_of(range_, facts_.tensors)] {
    return problem.empty() ? write_part(slices) : Part{{}, problem};
  });
}

void CheckpointSaver::skip(int64_t step) {
  ++counts_.skipped;
  if (job_.is_main())
    log_warning(formatted("no checkpoint of step %lld: that of step %lld is still being written",
                          static_cast<long long>(step), static_cast<long long>(place_.step)));
}

/// In the step, since an evaluation may replace the run folder's model soon: a second name for the file, or a copy
/// where the file system has no hard links. The checkpoint before may hold the same model.
void CheckpointSaver::link_best_model() {
  const fs::path link = unfinished_ / kBestModelName, delivered = facts_.run_folder / "model.safetensors";
  std::error_code error;
  best_from_ = BestFrom::kCheckpointBefore;
  if (best_.step == place_.kept_step && fs::last_write_time(best_.path, error) == best_.written && !error) {
    fs::create_hard_link(best_.path, link, error);
    if (!error) return;
  }
  fs::create_hard_link(delivered, link, error);
  best_from_ = error ? BestFrom::kCopy : BestFrom::kRunFolder;
  if (error) fs::copy_file(delivered, link);
}

void CheckpointSaver::note_best_model(const fs::path& folder, const FileReceipt& receipt) {
  std::error_code error;
  best_ = {folder / kBestModelName, place_.kept_step, receipt, {}};
  best_.written = fs::last_write_time(best_.path, error);
  if (error) best_ = {};
}

/// On rank 0's I/O thread: a file of its own, so that whoever writes into the run folder's model leaves the checkpoint
/// as it is.
FileReceipt CheckpointSaver::keep_best_model() {
  const fs::path link = unfinished_ / kBestModelName;
  if (best_from_ == BestFrom::kCheckpointBefore) return best_.receipt;
  if (best_from_ == BestFrom::kRunFolder) {
    const fs::path copy = unfinished_ / "best_model.copy";
    fs::copy_file(link, copy);
    fs::rename(copy, link);
  }
  data::flush_to_disk(link);
  return receipt_of(link);
}

/// Rank 0 makes the folder and tells its name, or all ranks why there is none.
std::string CheckpointSaver::announce(int64_t step) {
  nlohmann::json words = {{"problem", ""}, {"folder", ""}};
  if (job_.is_main()) {
    failpoint("announcing");
    require_own_folder();
    try {
      require_room_for_checkpoint(facts_.run_folder, size_of(facts_.tensors));
      unfinished_ = make_unfinished(facts_.run_folder, step);
      words["folder"] = unfinished_.string();
      failpoint("folder-made");
      if (place_.with_best_model) link_best_model();
    } catch (const std::exception& error) {
      words["problem"] = error.what();
    }
  }
  words = nlohmann::json::parse(job_.control().broadcast(words.dump(), 0));
  unfinished_ = words["folder"].get<std::string>();
  return words["problem"];
}

void CheckpointSaver::require_own_folder() const {
  if (facts_.owner != nullptr) facts_.owner->require();
}

CheckpointSaver::Part CheckpointSaver::write_part(const std::vector<Slice>& slices) noexcept {
  try {
    failpoint("shard-begin");
    const fs::path path = unfinished_ / shard_name(job_.rank(), job_.world_size());
    return {write_shard(path, snapshot_, slices, &written_), ""};
  } catch (const std::exception& error) {
    return {{}, error.what()};
  }
}

bool CheckpointSaver::own_work_is_done() const {
  return stage_ == Stage::kWriting ? is_ready(part_) : is_ready(commit_);
}

double CheckpointSaver::vote() const {
  return is_busy() && own_work_is_done() ? 1 : 0;
}

void CheckpointSaver::hear(double votes) {
  if (!is_busy() || votes < job_.world_size()) return;
  if (stage_ == Stage::kWriting)
    collect();
  else
    conclude();
}

/// All parts are written, or have failed: rank 0 hears of them, and commits.
void CheckpointSaver::collect() {
  const Part part = part_.get();
  const nlohmann::json words = {{"problem", part.problem},
                                {"name", part.receipt.name},
                                {"bytes", part.receipt.bytes},
                                {"sha256", part.receipt.sha256}};
  const std::vector<std::string> all = job_.control().gather(words.dump());
  failpoint("collected");
  stage_ = Stage::kCommitting;
  if (!job_.is_main()) return;
  std::vector<FileReceipt> receipts;
  std::string problem;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    const auto heard = nlohmann::json::parse(all[rank]);
    receipts.push_back({heard["name"], heard["bytes"], heard["sha256"]});
    if (problem.empty() && heard["problem"] != "")
      problem = formatted("rank %zu: ", rank) + heard["problem"].get<std::string>();
  }
  commit_ =
      in_background<std::string>([this, problem, receipts] { return problem.empty() ? commit(receipts) : problem; });
}

/// "", or why the checkpoint was dropped. Throws LockedError.
std::string CheckpointSaver::commit(const std::vector<FileReceipt>& receipts) {
  try {
    failpoint("commit-begin");
    fs::path published;
    {
      const UninterruptedWork commit;
      published = publish(receipts);
    }
    remove_surplus(published);
    return "";
  } catch (const LockedError&) {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// On rank 0's I/O thread. The checkpoint's folder.
fs::path CheckpointSaver::publish(const std::vector<FileReceipt>& receipts) {
  CheckpointManifest manifest;
  manifest.run = facts_.run;
  manifest.attempt = facts_.attempt;
  manifest.step = place_.step;
  manifest.epoch = place_.epoch;
  manifest.cursor = place_.cursor;
  manifest.world_size = job_.world_size();
  manifest.facts = facts_.facts;
  manifest.tensors = facts_.tensors;
  manifest.training = place_.training;
  for (int rank = 0; rank < job_.world_size(); ++rank)
    manifest.shards.push_back(
        {receipts[static_cast<size_t>(rank)],
         slices_of(range_of_rank(size_of(facts_.tensors), rank, job_.world_size()), facts_.tensors)});
  manifest.files.push_back(write_hashed(unfinished_ / kHistoryName, place_.history));
  manifest.files.push_back(write_hashed(unfinished_ / "trainer_state.json", place_.trainer_state));
  for (const auto& [name, content] : facts_.model_files)
    manifest.files.push_back(write_hashed(unfinished_ / name, content));
  if (place_.with_best_model) manifest.files.push_back(keep_best_model());
  failpoint("before-manifest");
  const std::string text = to_text(manifest);
  parse_manifest(text);  // what could not be read again is not published
  write_hashed(unfinished_ / kManifestName, text);
  failpoint("manifest-written");
  const PublishedCheckpoint published =
      publish_checkpoint(unfinished_, facts_.run_folder, place_.step, facts_.owner, facts_.replaces_others);
  unfinished_.clear();                           // what has that name now, if anything has, is an older checkpoint
  std::erase(facts_.damaged, published.folder);  // that one was moved aside
  if (place_.with_best_model) note_best_model(published.folder, manifest.files.back());
  settle(published);
  return published.folder;
}

/// Older ones go once the new one was read back as it was meant to be: until then one of them may be the last good one.
void CheckpointSaver::remove_surplus(const fs::path& newest) noexcept {
  try {
    for (const fs::path& folder : std::exchange(facts_.damaged, {})) {
      require_own_folder();
      keep_aside(folder, "damaged");
    }
    const std::vector<fs::path> old =
        surplus(list_checkpoints(facts_.run_folder), facts_.run, facts_.limit, place_.kept_step);
    if (old.empty()) return;
    if (const auto problem = problem_with(read_checkpoint(newest), true, [this] { ++written_; }))
      throw CheckpointError(newest.string() + " was written, and is damaged: " + *problem);
    for (const fs::path& folder : old) {
      require_own_folder();
      remove_checkpoint(folder);
    }
  } catch (const std::exception& error) {
    surplus_problem_ = error.what();
  }
}

/// All ranks learn what became of it.
void CheckpointSaver::conclude() {
  std::string problem = job_.is_main() ? commit_.get() : "";
  problem = job_.control().broadcast(problem, 0);
  failpoint("concluded");
  stage_ = Stage::kIdle;
  if (const std::string words = std::exchange(surplus_problem_, ""); !words.empty())
    log_warning("an old checkpoint could not be removed: " + words);
  counts_.last_failed = !problem.empty();
  if (problem.empty()) {
    ++counts_.written;
    counts_.newest = place_.step;
    return;
  }
  ++counts_.failed;
  counts_.last_problem = problem;
  if (!job_.is_main()) return;
  std::error_code ignored;
  if (!unfinished_.empty()) fs::remove_all(unfinished_, ignored);
  log_warning(formatted("no checkpoint of step %lld: ", static_cast<long long>(place_.step)) + problem);
}

void CheckpointSaver::finish() {
  while (is_busy()) {
    job_.activity().phase("saving a checkpoint", dist::Pace::kOpen);
    wait_for_own_work();
    job_.control().idle_barrier();
    hear(job_.world_size());
  }
}

/// As long as bytes are written, nobody shall think that this rank hangs.
void CheckpointSaver::wait_for_own_work() {
  for (int64_t seen = written_; !own_work_is_done(); std::this_thread::sleep_for(std::chrono::milliseconds(2))) {
    if (seen == written_) continue;
    seen = written_;
    job_.activity().progress();
  }
}

}  // namespace lockstep
