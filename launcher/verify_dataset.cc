#include "launcher/verify_dataset.h"

#include <cstdio>
#include <string>
#include <vector>

#include "data/dataset_manifest.h"
#include "data/error.h"
#include "data/shard_file.h"
#include "launcher/cli/printable_text.h"
#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

data::DatasetManifest manifest_of(const fs::path& folder) {
  try {
    return data::load_manifest(folder);
  } catch (const data::DataError& error) {
    throw ProgramError(kData, error.what());
  }
}

/// "" if the shard is as the manifest says.
std::string problem_of(const fs::path& path, const data::ShardEntry& shard) {
  try {
    data::require_size(path, shard);
    data::read_verified(path, shard);
    return "";
  } catch (const data::DataError& error) {
    return error.what();
  }
}

std::vector<std::string> problems_of(const fs::path& folder, const data::SplitEntry& split) {
  std::vector<std::string> problems;
  for (const data::ShardEntry& shard : split.shards)
    if (const std::string problem = problem_of(folder / shard.file, shard); !problem.empty())
      problems.push_back(problem);
  return problems;
}

std::string line_on(const std::string& name, const data::SplitEntry& split, size_t damaged) {
  double bytes = 0;
  for (const data::ShardEntry& shard : split.shards)
    bytes += static_cast<double>(shard.bytes);
  const std::string verdict = damaged == 0 ? "valid" : formatted("%zu DAMAGED", damaged);
  return formatted("%-12s %s, %s, %s, %.1f MB: %s\n", printable_text(name).c_str(),
                   counted(split.examples, "example").c_str(), counted(split.tokens, "token").c_str(),
                   counted(std::ssize(split.shards), "shard").c_str(), bytes / 1e6, verdict.c_str());
}

}  // namespace

int verify_dataset(const fs::path& folder) {
  size_t damaged = 0, shards = 0;
  for (const auto& [name, split] : manifest_of(folder).splits) {
    const std::vector<std::string> problems = problems_of(folder, split);
    std::fputs(line_on(name, split, problems.size()).c_str(), stdout);
    for (const std::string& problem : problems)
      std::printf("  %s\n", printable_text(problem).c_str());
    damaged += problems.size();
    shards += split.shards.size();
  }
  if (damaged > 0)
    throw ProgramError(
        kData, formatted("damaged: %zu of %s", damaged, counted(static_cast<int64_t>(shards), "shard").c_str()));
  return kDone;
}

}  // namespace lockstep
