#include "launcher/checkpoint/folder_owner.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <random>
#include <system_error>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/json_text.h"
#include "launcher/checkpoint/store.h"
#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

constexpr const char* kName = "owner.json";
constexpr int64_t kMostAttempts = int64_t{1} << 40;  // anybody can write into that file
constexpr int64_t kMostOwnerBytes = 1 << 20;

struct Entry {
  int64_t attempt = 0;
  std::string token;
  std::string who;
};

/// Empty if there is none, or none that can be read.
Entry read_entry(const fs::path& folder) {
  try {
    const nlohmann::json json = data::parse_json(data::read_file(folder / kName, kMostOwnerBytes));
    return {std::clamp<int64_t>(json.at("attempt"), 0, kMostAttempts), json.at("token"),
            formatted("process %lld on ", json.at("process").get<long long>()) + json.at("host").get<std::string>()};
  } catch (const data::DataError&) {
    return {};
  } catch (const nlohmann::json::exception&) {
    return {};
  }
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

int64_t attempts_in(const fs::path& folder) {
  int64_t attempts = read_entry(folder).attempt;
  for (const StoredCheckpoint& stored : list_checkpoints(folder))
    if (stored.manifest) attempts = std::max(attempts, stored.manifest->attempt);
  return attempts;
}

}  // namespace

FolderOwner::FolderOwner(fs::path folder) : folder_(std::move(folder)), attempt_(attempts_in(folder_) + 1) {
  std::random_device random;
  token_ = formatted("%08x%08x%08x%08x", random(), random(), random(), random());
  const nlohmann::json entry = {{"attempt", attempt_}, {"host", host_name()}, {"process", getpid()}, {"token", token_}};
  data::write_file_atomically(folder_ / kName, entry.dump() + "\n");
}

void FolderOwner::require() const {
  const Entry found = read_entry(folder_);
  if (found.token.empty() || found.token == token_) return;
  throw LockedError("--output_dir " + folder_.string() + " was taken over by another job (" + found.who +
                    ") while this one stood still; this one leaves it as it is");
}

void FolderOwner::change(const std::function<void()>& change) const {
  require();
  try {
    change();
  } catch (const std::system_error&) {
    require();
    throw;
  }
}

}  // namespace lockstep
