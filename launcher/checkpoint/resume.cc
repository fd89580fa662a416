#include "launcher/checkpoint/resume.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/cli/printable_text.h"
#include "launcher/failpoint.h"
#include "launcher/job/log.h"
#include "launcher/replicas.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

using Kind = ResumeWish::Kind;

/// Those to try, best first. All ranks get rank 0's list.
std::vector<fs::path> candidates(Job& job, const ResumeWish& wish, const fs::path& run_folder) {
  nlohmann::json names = nlohmann::json::array();
  job.together([&] {
    if (!job.is_main() || wish.kind == Kind::kNever) return;
    if (wish.kind == Kind::kThis) return names.push_back(wish.folder.string());
    for (const StoredCheckpoint& stored : list_checkpoints(run_folder))
      names.push_back(stored.folder.string());
  });
  std::vector<fs::path> folders;
  for (const auto& name : nlohmann::json::parse(job.control().broadcast(names.dump(), 0)))
    folders.emplace_back(name.get<std::string>());
  return folders;
}

/// This rank's share of the files: the ranks together read each once.
std::string problem_in_share(Job& job, const StoredCheckpoint& checkpoint) {
  if (!checkpoint.manifest) return checkpoint.problem;
  const auto rank = static_cast<size_t>(job.rank()), world_size = static_cast<size_t>(job.world_size());
  StoredCheckpoint share = checkpoint;
  const auto keep_share = [&](auto& files) {
    auto kept = files;
    kept.clear();
    for (size_t i = rank; i < files.size(); i += world_size)
      kept.push_back(files[i]);
    files = kept;
  };
  keep_share(share.manifest->shards);
  keep_share(share.manifest->files);
  return problem_with(share, true, [&] { job.activity().progress(); }).value_or("");
}

/// Collective. "" if every rank finds its share in order.
std::string problem_in_common(Job& job, const StoredCheckpoint& checkpoint) {
  std::string first;
  for (const std::string& problem : job.control().gather(problem_in_share(job, checkpoint)))
    if (first.empty()) first = problem;
  return job.control().broadcast(first, 0);
}

[[noreturn]] void fail_together(const std::string& message) {
  throw AgreedFailure(dist::Failure{0, kCheckpoint, message});
}

std::string checkpoints_to_choose(const fs::path& run_folder) {
  std::string names;
  for (const StoredCheckpoint& stored : list_checkpoints(run_folder))
    names += (names.empty() ? "" : ", ") + stored.folder.filename().string();
  return names.empty() ? "no checkpoint; auto or never starts anew"
                       : names + ". Give one of these, a step, auto, must or never";
}

/// Collective.
void require_it_exists(Job& job, const fs::path& wanted, const fs::path& run_folder) {
  job.together([&] {
    if (!job.is_main()) return;
    std::error_code none;
    if (!fs::is_directory(wanted, none))
      throw CheckpointError("--resume_from_checkpoint: there is no folder " + wanted.string() + "; " +
                            run_folder.string() + " holds " + checkpoints_to_choose(run_folder));
    if (fs::exists(wanted / kManifestName, none)) return;
    if (const auto held = list_checkpoints(wanted); !held.empty())
      throw CheckpointError("--resume_from_checkpoint: " + wanted.string() +
                            " is a run's folder, not a checkpoint; give one in it, such as " +
                            held.front().folder.string());
  });
}

}  // namespace

ResumeWish resume_wish(const std::string& words, const fs::path& run_folder) {
  if (words == "never") return {Kind::kNever, {}};
  if (words == "auto") return {Kind::kNewest, {}};
  if (words == "must") return {Kind::kNewestOrError, {}};
  const bool is_step = !words.empty() && words.size() < 19 &&
                       std::all_of(words.begin(), words.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (is_step) return {Kind::kThis, run_folder / checkpoint_name(std::stoll(words))};
  std::error_code none;  // "checkpoint-4" alone means that of the run
  const bool is_own = !fs::exists(words, none) && fs::exists(run_folder / words, none);
  return {Kind::kThis, is_own ? run_folder / words : fs::path(words)};
}

ResumePoint choose_checkpoint(Job& job, const ResumeWish& wish, const fs::path& run_folder) {
  if (wish.kind == Kind::kThis) require_it_exists(job, wish.folder, run_folder);
  const std::vector<fs::path> folders = candidates(job, wish, run_folder);
  std::string problems;
  std::vector<fs::path> damaged;
  for (const fs::path& folder : folders) {
    StoredCheckpoint checkpoint = read_checkpoint(folder);
    failpoint("verifying");
    const std::string problem = problem_in_common(job, checkpoint);
    if (problem.empty()) return {std::move(checkpoint), std::move(damaged)};
    damaged.push_back(folder);
    const std::string words = folder.string() + " is damaged: " + printable_text(problem);
    if (job.is_main()) log_warning(words + (wish.kind == Kind::kThis ? "" : "; left as it is"));
    problems += "\n  " + words;
  }
  if (!folders.empty())
    fail_together("no checkpoint to go on from:" + problems +
                  "\nNothing was deleted. Copy a sound one there, or start anew: --resume_from_checkpoint never with "
                  "another --output_dir");
  if (wish.kind == Kind::kNewestOrError)
    fail_together(run_folder.string() + " holds no checkpoint, and --resume_from_checkpoint must was given");
  return {};
}

FlatState load_state(Job& job, const StoredCheckpoint& checkpoint, const std::vector<TensorShape>& tensors) {
  FlatState state;
  job.together([&] {
    if (checkpoint.manifest->tensors != tensors)
      throw SettingsError(checkpoint.folder.string() + " is of a model with other tensors than --model_name_or_path");
    state.resize(size_of(tensors));
    for (const ShardEntry& shard : checkpoint.manifest->shards) {
      read_shard(checkpoint.folder, shard, tensors, state, [&] { job.activity().progress(); });
      failpoint("shard-read");
    }
  });
  for (const auto* values : {&state.parameters, &state.m, &state.v})
    require_equal_floats(job, *values, "the state read from " + checkpoint.folder.string());
  return state;
}

}  // namespace lockstep
