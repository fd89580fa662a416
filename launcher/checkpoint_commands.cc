#include "launcher/checkpoint_commands.h"

#include <cstdio>

#include "data/dataset_manifest.h"
#include "data/input_path.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/store.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/printable_text.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/verify_dataset.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

const char* const kListFooter = R"(
Example:
  lockstep list runs/reference

The newest comes first. Only manifests and the files' sizes are looked at;
lockstep verify reads every byte. One that holds a file named "pinned" is
never removed.

Exit codes: 0 done, whatever was found; 2 usage; 5 FOLDER is not a folder;
9 the output could not be written.)";

const char* const kVerifyFooter = R"(
Examples:
  lockstep verify runs/reference
  lockstep verify runs/reference/checkpoint-188
  lockstep verify datasets/imdb

A checkpoint or data set is valid if its manifest is as it was written and
every file has the size and the SHA-256 that stand there. Nothing is changed.

Exit codes: 0 all are valid; 2 usage; 4 the data set is damaged; 5 a checkpoint
is damaged, or there is none; 9 the output could not be written.)";

constexpr const char* kRunMeaning = "OUTPUT_DIR of a training, or a checkpoint in it";

std::string folder_from(const char* name, const char* purpose, const char* footer, const char* meaning,
                        const std::vector<std::string>& arguments) {
  std::string folder;
  const auto app = make_app(std::string("lockstep ") + name, purpose, footer);
  app->add_option("FOLDER", folder, meaning)->required();
  parse_command_line(*app, arguments);
  if (!data::is_folder(folder)) throw CheckpointError(folder + " is not a folder");
  return folder;
}

double megabytes_of(const CheckpointManifest& manifest) {
  int64_t bytes = 0;
  for (const ShardEntry& shard : manifest.shards)
    bytes += shard.file.bytes;
  for (const FileReceipt& file : manifest.files)
    bytes += file.bytes;
  return static_cast<double>(bytes) / 1e6;
}

std::string line_on(const StoredCheckpoint& stored, const std::string& verdict) {
  const std::string name = printable_text(stored.folder.filename().string());
  if (!stored.manifest) return formatted("%-20s %s\n", name.c_str(), verdict.c_str());
  const CheckpointManifest& m = *stored.manifest;
  const std::string place = counted(m.epoch, "epoch") + " + " + counted(m.cursor, "example");
  return formatted("%-20s step %-7lld %s, %s, %.1f MB: %s\n", name.c_str(), static_cast<long long>(m.step),
                   place.c_str(), counted(m.world_size, "shard").c_str(), megabytes_of(m), verdict.c_str());
}

/// "removed meanwhile": a training that runs removes old checkpoints while they are looked at.
std::string verdict_on(const StoredCheckpoint& stored, const std::optional<std::string>& problem, const char* good) {
  std::error_code ignored;
  if (!problem) return std::string(good) + (is_pinned(stored.folder) ? ", pinned" : "");
  const bool is_gone = fs::symlink_status(stored.folder, ignored).type() == fs::file_type::not_found;
  return is_gone ? "removed meanwhile" : "DAMAGED, " + printable_text(*problem);
}

struct Verdicts {
  int64_t good = 0, damaged = 0;
};

Verdicts print_verdicts(const std::vector<StoredCheckpoint>& checkpoints, bool hashes, const char* good) {
  Verdicts verdicts;
  for (const StoredCheckpoint& stored : checkpoints) {
    failpoint("looking-at-one");
    const std::string verdict = verdict_on(stored, problem_with(stored, hashes), good);
    verdicts.damaged += verdict.starts_with("DAMAGED") ? 1 : 0;
    verdicts.good += verdict.starts_with(good) ? 1 : 0;
    std::fputs(line_on(stored, verdict).c_str(), stdout);
    std::fflush(stdout);
  }
  return verdicts;
}

}  // namespace

int list_command(const std::vector<std::string>& arguments) {
  const std::string folder =
      folder_from("list", "Lists the checkpoints of a run.", kListFooter, kRunMeaning, arguments);
  const auto checkpoints = checkpoints_at(folder);
  if (checkpoints.empty()) std::printf("no checkpoints in %s\n", printable_text(folder).c_str());
  print_verdicts(checkpoints, false, "complete");
  return kDone;
}

int verify_command(const std::vector<std::string>& arguments) {
  const std::string folder =
      folder_from("verify", "Reads and checks the checkpoints of a run, or a data set.", kVerifyFooter,
                  (std::string(kRunMeaning) + ", or a folder that lockstep prepare wrote").c_str(), arguments);
  if (data::is_there(fs::path(folder) / data::kDatasetManifestName)) return verify_dataset(folder);
  const auto checkpoints = checkpoints_at(folder);
  if (checkpoints.empty()) throw CheckpointError("no checkpoints in " + folder);
  const Verdicts found = print_verdicts(checkpoints, true, "valid");
  if (found.damaged > 0)
    throw CheckpointError(
        formatted("%lld of %zu checkpoints are damaged", static_cast<long long>(found.damaged), checkpoints.size()));
  if (found.good == 0) throw CheckpointError("no checkpoints in " + folder + " any more");
  return kDone;
}

}  // namespace lockstep
