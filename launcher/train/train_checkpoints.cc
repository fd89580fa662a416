#include "launcher/train/train_checkpoints.h"

#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "data/atomic_file.h"
#include "launcher/checkpoint/resume_contract.h"
#include "launcher/checkpoint/room.h"
#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
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

/// How often the rest of the run saves, the last step included.
int64_t saves_after(int64_t step, const TrainInputs& in) {
  const int64_t interval = in.options.save_strategy == "epoch" ? in.plan.steps_per_epoch : in.options.save_steps;
  const int64_t at_the_end = in.plan.total_steps % interval != 0 ? 1 : 0;
  return step < in.plan.total_steps ? in.plan.total_steps / interval - step / interval + at_the_end : 0;
}

/// Those of its run, which may be removed in the end.
int64_t sound_ones_of(const ResumePoint& start, const fs::path& folder) {
  const std::string& run = start.checkpoint->manifest->run;
  const std::vector<StoredCheckpoint> stored = list_checkpoints(folder);
  return std::ranges::count_if(stored, [&](const StoredCheckpoint& checkpoint) {
    return checkpoint.manifest && checkpoint.manifest->run == run && !is_pinned(checkpoint.folder) &&
           std::ranges::find(start.damaged, checkpoint.folder) == start.damaged.end();
  });
}

RoomPlan room_plan(const TrainInputs& in, const ResumePoint& start) {
  RoomPlan plan;
  plan.parameters = model::make_layout(in.config).size;
  plan.saves = saves_after(start.checkpoint ? start.checkpoint->manifest->step : 0, in);
  plan.limit = in.options.save_total_limit;
  plan.keeps_best_step = in.options.eval_strategy != "no";
  plan.keeps_best_model = in.options.load_best_model_at_end;
  if (start.checkpoint && plan.limit > 0) plan.replaceable = sound_ones_of(start, in.options.output_dir);
  return plan;
}

void judge(const TrainInputs& in, int world_size, const StoredCheckpoint& start) {
  const CheckpointManifest& saved = *start.manifest;
  if (saved.tensors != tensors_of(model::make_layout(in.config)))
    throw SettingsError(start.folder.string() + " is of a model with other tensors than --model_name_or_path");
  const auto changes = changes_between(with_defaults(saved.facts), facts_of(in, world_size));
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

ResumePoint find_start(Job& job, const TrainInputs& in) {
  const fs::path folder = in.options.output_dir;
  const ResumeWish wish = resume_wish(in.options.resume_from_checkpoint, folder);
  if (wish.kind != ResumeWish::Kind::kNever || in.options.save_strategy != "no") require_shared_folder(job, folder);
  ResumePoint start = choose_checkpoint(job, wish, folder);
  job.together([&] {
    if (start.checkpoint && job.is_main()) judge(in, job.world_size(), *start.checkpoint);
  });
  return start;
}

void require_room(Job& job, const TrainInputs& in, const ResumePoint& start) {
  if (in.options.save_strategy == "no") return;
  job.together([&] {
    if (!job.is_main()) return;
    const RoomPlan plan = room_plan(in, start);
    if (plan.saves == 0) return;
    const auto available = static_cast<int64_t>(fs::space(in.options.output_dir).available);
    const std::string warning = warning_about_room(plan, available, in.options.output_dir);
    if (!warning.empty()) log_warning(warning);
  });
}

CheckpointFacts checkpoint_facts(Job& job, const TrainInputs& in, const model::ParameterLayout& layout,
                                 const ResumePoint& start, const FolderOwner* owner) {
  CheckpointFacts facts;
  facts.run_folder = in.options.output_dir;
  facts.run = job.control().broadcast(start.checkpoint ? start.checkpoint->manifest->run : new_identity(), 0);
  facts.owner = owner;
  if (owner != nullptr) facts.attempt = owner->attempt();
  facts.facts = facts_of(in, job.world_size());
  facts.tensors = tensors_of(layout);
  facts.limit = in.options.save_total_limit;
  facts.replaces_others = in.options.overwrite_output_dir;
  facts.damaged = start.damaged;
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
