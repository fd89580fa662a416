#include "launcher/train_checkpoints.h"

#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "data/atomic_file.h"
#include "launcher/checkpoint/resume_contract.h"
#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/log.h"
#include "launcher/model_folder.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

/// Ranks on other hosts may have a folder of the same name on a disk of their own.
void require_shared_folder(Job& job, const fs::path& folder) {
  const auto number = [&] {
    struct stat status {};
    return stat((folder / "train.log").c_str(), &status) == 0 ? std::to_string(status.st_ino) : "none";
  };
  const std::string of_rank_0 = job.control().broadcast(number(), 0);
  job.together([&] {
    if (number() != of_rank_0)
      throw SettingsError("--output_dir " + folder.string() + " is not the same folder on host " +
                          job.environment().host() +
                          " as on rank 0's: checkpoints need a file system that all hosts share");
  });
}

std::string new_identity() {
  std::random_device random;
  return formatted("%08x%08x%08x%08x", random(), random(), random(), random());
}

/// Trainings that were started in the folder, by what is left of them.
int64_t attempts_in(const fs::path& folder) {
  int64_t attempts = 0;
  for (const StoredCheckpoint& stored : list_checkpoints(folder))
    if (stored.manifest) attempts = std::max(attempts, stored.manifest->attempt);
  return attempts;
}

void judge(const TrainInputs& in, int world_size, const StoredCheckpoint& start) {
  const CheckpointManifest& saved = *start.manifest;
  const auto changes = changes_between(saved.facts, facts_of(in, world_size));
  require_allowed(changes, in.options.allow_change);
  const int64_t epoch = saved.step / in.plan.steps_per_epoch;
  const int64_t cursor = saved.step % in.plan.steps_per_epoch * in.plan.global_batch;
  if (saved.epoch != epoch || saved.cursor != cursor)
    throw SettingsError(start.folder.string() + " stands elsewhere in the data than its step says");
  log_info(formatted("going on from %s: step %lld, epoch %.2f", start.folder.c_str(),
                     static_cast<long long>(saved.step), in.plan.epoch_at(saved.step)));
  if (!changes.empty()) log_info("what differs from the saved run:" + diff_text(changes));
}

}  // namespace

std::vector<TensorShape> tensors_of(const model::ParameterLayout& layout) {
  std::vector<TensorShape> tensors;
  for (const model::ParameterSlot& slot : layout.slots)
    tensors.push_back({slot.name, slot.shape});
  return tensors;
}

std::optional<StoredCheckpoint> find_start(Job& job, const TrainInputs& in) {
  const fs::path folder = in.options.output_dir;
  const ResumeWish wish = resume_wish(in.options.resume_from_checkpoint, folder);
  if (wish.kind != ResumeWish::Kind::kNever || in.options.save_strategy != "no") require_shared_folder(job, folder);
  std::optional<StoredCheckpoint> start = choose_checkpoint(job, wish, folder);
  job.together([&] {
    if (start && job.is_main()) judge(in, job.world_size(), *start);
  });
  return start;
}

CheckpointFacts checkpoint_facts(Job& job, const TrainInputs& in, const model::ParameterLayout& layout,
                                 const std::optional<StoredCheckpoint>& start) {
  CheckpointFacts facts;
  facts.run_folder = in.options.output_dir;
  facts.run = job.control().broadcast(start ? start->manifest->run : new_identity(), 0);
  job.together([&] {
    if (job.is_main()) facts.attempt = attempts_in(facts.run_folder) + 1;
  });
  facts.facts = facts_of(in, job.world_size());
  facts.tensors = tensors_of(layout);
  facts.limit = in.options.save_total_limit;
  if (job.is_main()) facts.model_files = model_files(in.config, *in.tokenizer);
  return facts;
}

void restore_best_model(const StoredCheckpoint& start, const fs::path& run_folder) {
  const fs::path best = start.folder / kBestModelName, staging = run_folder / ".best-model-part";
  if (!fs::exists(best)) return;
  fs::remove(staging);
  fs::copy_file(best, staging);
  data::flush_to_disk(staging);
  fs::rename(staging, run_folder / "model.safetensors");
  data::flush_to_disk(run_folder);
}

}  // namespace lockstep
