// Which checkpoints --save_total_limit may remove, whatever happened in a run folder.
#include <random>
#include <set>

#include "tests/launcher/stored_checkpoints.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

enum class Fate { kSound, kPinned, kArchived, kCut, kWithoutManifest, kOfAnotherRun, kRenamed };
constexpr int kFates = 7;
constexpr int64_t kMostSteps = 9;

struct Saved {
  Fate fate;
  StoredCheckpoint stored;
  int64_t step() const { return stored.manifest->step; }
  /// One of this run, whole: it counts.
  bool counts() const { return fate == Fate::kSound || fate == Fate::kPinned || fate == Fate::kArchived; }
};

/// What a run folder may hold at a moment, the newest first, and what is asked for.
struct History {
  std::vector<const Saved*> saved;
  int64_t limit = 0, best = -1;
};

/// A checkpoint of each step and each fate, on disk once for all histories.
class Pool {
 public:
  Pool() {
    for (int fate = 0; fate < kFates; ++fate)
      for (int64_t step = 1; step <= kMostSteps; ++step)
        all_.push_back(make(static_cast<Fate>(fate), step));
  }
  const Saved& of(int fate, int64_t step) const { return all_.at(static_cast<size_t>(fate * kMostSteps + step - 1)); }

 private:
  Saved make(Fate fate, int64_t step) const {
    const fs::path run = folder_.path() / std::to_string(static_cast<int>(fate));
    Saved saved{fate, {run / checkpoint_name(fate == Fate::kRenamed ? step + 100 : step), CheckpointManifest(), ""}};
    saved.stored.manifest->run = fate == Fate::kOfAnotherRun ? "another" : "run";
    saved.stored.manifest->step = step;
    saved.stored.manifest->files = {{"file", 1, ""}};
    const fs::path& folder = saved.stored.folder;
    fs::create_directories(folder);
    std::ofstream(folder / "file") << (fate == Fate::kCut ? "" : "x");
    if (fate == Fate::kPinned) std::ofstream(folder / "pinned") << "";
    if (fate == Fate::kWithoutManifest) saved.stored.manifest.reset();
    if (fate == Fate::kArchived) put_a_link_in_place_of(folder);
    return saved;
  }

  static void put_a_link_in_place_of(const fs::path& folder) {
    const fs::path archive = folder.string() + ".archived";
    fs::rename(folder, archive);
    fs::create_directory_symlink(archive, folder);
  }

  tests::TemporaryFolder folder_;
  std::vector<Saved> all_;
};

/// Every second checkpoint is an ordinary one.
History random_history(const Pool& pool, std::mt19937& random) {
  const auto below = [&](uint32_t count) { return static_cast<int>(random() % count); };
  History history;
  for (int64_t step = kMostSteps; step > 0; --step)
    if (below(2) == 0) history.saved.push_back(&pool.of(below(2) * below(kFates), step));
  history.limit = below(5);
  history.best = below(4) == 0 ? -1 : below(kMostSteps + 1);
  return history;
}

/// Why `gone` is wrong; "" if it is right: of those that count, the newest `limit`, the best and the pinned ones are
/// left, and nothing else is touched.
std::string mistake_in(const History& history, const std::set<fs::path>& gone) {
  int64_t counted = 0;
  size_t removed = 0;
  for (const Saved* saved : history.saved) {
    const bool is_gone = gone.contains(saved->stored.folder);
    const bool is_of_the_newest = saved->counts() && (history.limit == 0 || counted++ < history.limit);
    const bool must_stay = is_of_the_newest || saved->fate != Fate::kSound || saved->step() == history.best;
    if (is_gone == must_stay) return (is_gone ? "gone: " : "left: ") + saved->stored.folder.string();
    removed += is_gone ? 1 : 0;
  }
  return removed == gone.size() ? "" : "something else is gone";
}

TEST(Retention, OfAnyHistoryTheNewestTheBestAndPinnedOnesStayAndNoMore) {
  const Pool pool;
  std::mt19937 random(1);
  for (int tried = 0; tried < 100'000; ++tried) {
    const History history = random_history(pool, random);
    std::vector<StoredCheckpoint> stored;
    for (const Saved* saved : history.saved)
      stored.push_back(saved->stored);
    const std::vector<fs::path> gone = surplus(stored, "run", history.limit, history.best);
    const std::string mistake = mistake_in(history, {gone.begin(), gone.end()});
    ASSERT_EQ(mistake, "") << "history " << tried << ", limit " << history.limit << ", best " << history.best << "\n"
                           << testing::PrintToString(tests::names(gone));
  }
}

}  // namespace
}  // namespace lockstep
