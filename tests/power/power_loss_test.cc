// The machine loses power: what the real program did to the disk is recorded, and for each moment of it, what may then
// be on the disk is laid out and given to the program's own recovery. docs/decisions/power-loss.md tells how and why.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "tests/end_to_end/checkpoint_job.h"
#include "tests/power/broken_protocols.h"
#include "tests/power/campaign.h"
#include "tests/power/recording.h"
#include "tests/support/text.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;
using tests::Findings;
using tests::Record;
using tests::Recording;

constexpr int kLongest = 16;  // tokens
constexpr const char* kBest = " --load_best_model_at_end --save_total_limit 2";
constexpr const char* kSlowly = "LOCKSTEP_FAILPOINT=step:0:1:lag";  // so that no save is left out
constexpr const char* kKilledInTheSecondShard = "LOCKSTEP_FAILPOINT=shard-middle:0:5:kill";

class PowerLoss : public tests::CheckpointJob {
 protected:
  using Recorded = std::shared_future<Record>;

  /// Runs mostly wait, so that they are recorded all at once.
  static void SetUpTestSuite() {
    world_ = std::make_unique<tests::TinyWorld>(kLongest, smallest_model());
    first_ = started(first_run);
    resumed_ = started(killed_and_resumed);
    anew_ = started([] { return anew_over_another(""); });
    anew_without_ = started([] { return anew_over_another("exchange,links"); });
    over_kept_ones_ = started(over_a_pinned_and_a_damaged_one);
  }
  static void TearDownTestSuite() {
    for (Recorded* record : {&first_, &resumed_, &anew_, &anew_without_, &over_kept_ones_})
      *record = {};
    LaunchedWorld::TearDownTestSuite();
  }
  template <typename Run>
  static Recorded started(const Run& run) {
    return std::async(std::launch::async, run).share();
  }
  /// Checkpoints of some ten thousand bytes, so that a record has few, and all that is special about each.
  static model::DistilBertConfig smallest_model() {
    model::DistilBertConfig config = tests::TinyWorld::config();
    config.vocab_size = 60;
    config.max_position_embeddings = kLongest;
    config.n_layers = 1;
    config.n_heads = 2;
    config.dim = config.hidden_dim = 8;
    return config;
  }
  static void train_in(const Recording& recording, int ranks, const std::string& more, const std::string& failpoint,
                       int expected = kDone) {
    const std::string model = std::string(Recording::kRunFolder) + "/model.safetensors";
    recording.mark("replacing", model);
    const tests::Outcome outcome =
        train(ranks, more, recording.variables() + failpoint, recording.path(Recording::kRunFolder));
    ASSERT_EQ(outcome.exit_code, expected) << outcome.output;
    if (expected == kDone) recording.mark("delivered", model);
  }

  static Record first_run() {
    const Recording recording;
    train_in(recording, 2, kBest, kSlowly);
    expect_that_the_record_is_whole(recording);
    return recording.record();
  }
  static Record killed_and_resumed() {
    const Recording recording;
    train_in(recording, 2, kBest, kKilledInTheSecondShard, 137);
    train_in(recording, 3, std::string(kBest) + tests::kResume, kSlowly);
    expect_that_the_record_is_whole(recording);
    return recording.record();
  }
  static Record anew_over_another(const std::string& lacking) {
    const Recording recording(lacking);
    train_in(recording, 1, " --load_best_model_at_end --max_steps 7", kSlowly);
    train_in(recording, 2, " --load_best_model_at_end --max_steps 7 --overwrite_output_dir", kSlowly);
    expect_that_the_record_is_whole(recording);
    return recording.record();
  }
  static Record over_a_pinned_and_a_damaged_one() {
    const Recording recording;
    const std::string run = Recording::kRunFolder;
    train_in(recording, 1, "--max_steps 9", kSlowly);
    recording.user("touch", run + "/checkpoint-3/pinned");
    recording.mark("pinned", run + "/checkpoint-3");
    recording.mark("damaging", run + "/checkpoint-6");
    recording.user("truncate -s 10", run + "/checkpoint-6/manifest.json");
    recording.mark("damaged", run + "/checkpoint-6");
    train_in(recording, 1, "--max_steps 7 --overwrite_output_dir --save_total_limit 1", kSlowly);
    expect_that_the_record_is_whole(recording);
    return recording.record();
  }

  /// What the record leads to is what is there: no change of a file went past the recorder.
  static void expect_that_the_record_is_whole(const Recording& recording) {
    tests::Disk disk;
    for (const tests::Operation& operation : recording.record())
      disk.apply(operation);
    const tests::Tree seen = disk.seen();
    size_t found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(recording.path(""))) {
      const std::string name = fs::relative(entry.path(), recording.path("")).string();
      ++found;
      if (entry.is_directory() || name.ends_with("train.log")) continue;  // the log is written within the C library
      ASSERT_TRUE(seen.contains(name)) << name;
      EXPECT_TRUE(seen.at(name)->bytes == tests::read_file(entry.path())) << name;
    }
    EXPECT_EQ(seen.size(), found);
  }

  /// What a trial finds, which is also printed.
  template <typename Try>
  static Findings findings_of(const char* name, const Try& try_it) {
    const auto begin = std::chrono::steady_clock::now();
    Findings findings = try_it();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf("%s: %lld commits, %lld moments, %lld states, %lld judgements, %zu violations, %.1f s\n", name,
                static_cast<long long>(findings.commits), static_cast<long long>(findings.moments),
                static_cast<long long>(findings.states), static_cast<long long>(findings.judgements),
                findings.violations.size(), seconds.count());
    return findings;
  }
  static Findings lose_power_in(const Record& record, const char* name, const tests::Trial& trial) {
    return findings_of(name, [&] { return tests::lose_power_everywhere(record, Recording::kRunFolder, trial); });
  }
  static Findings lose_blocks(const char* name, bool reads_hashes) {
    return findings_of(
        name, [&] { return tests::lose_each_committed_block(first_.get(), Recording::kRunFolder, reads_hashes); });
  }
  static void expect_nothing_lost(const Record& record, const char* name, int commits) {
    const Findings findings = lose_power_in(record, name, {.samples = 8 * tests::repetitions(), .sought = ""});
    EXPECT_THAT(findings.violations, IsEmpty());
    EXPECT_EQ(findings.commits, commits);
    EXPECT_GT(findings.states, 4000);
  }
  static void expect_among(const Findings& findings, const std::string& words) {
    const auto found = std::ranges::find_if(
        findings.violations, [&](const std::string& violation) { return tests::contains(violation, words); });
    ASSERT_NE(found, findings.violations.end()) << words;
    std::printf("  %s\n", found->substr(0, found->find('\n')).c_str());
  }
  static void expect_that_it_is_found(const Record& record, const char* name, const std::string& words) {
    expect_among(lose_power_in(record, name, {.is_changed_record = true, .sought = words}), words);
  }

  inline static Recorded first_, resumed_, anew_, anew_without_, over_kept_ones_;
};

TEST_F(PowerLoss, OfAFirstRunLosesNothingThatWasCommitted) {
  expect_nothing_lost(first_.get(), "first run", 5);
}

TEST_F(PowerLoss, AfterAKillAndInTheRunThatGoesOn) {
  expect_nothing_lost(resumed_.get(), "killed and resumed", 5);
}

TEST_F(PowerLoss, WhileCheckpointsTakeThePlacesOfOthers) {
  expect_nothing_lost(anew_.get(), "anew over another", 6);
}

TEST_F(PowerLoss, OnFileSystemsThatCannotExchangeNamesOrLinkFiles) {
  expect_nothing_lost(anew_without_.get(), "anew without exchange and links", 6);
}

TEST_F(PowerLoss, LeavesPinnedAndDamagedOnesWhereTheyAre) {
  expect_nothing_lost(over_kept_ones_.get(), "over a pinned and a damaged one", 6);
}

TEST_F(PowerLoss, ALostBlockThatTheDiskHadPromisedIsSeen) {
  const Findings findings = lose_blocks("lost blocks", true);
  EXPECT_THAT(findings.violations, IsEmpty());
  EXPECT_GT(findings.states, 100);
}

TEST_F(PowerLoss, WithoutFlushesOfFilesIsFound) {
  expect_that_it_is_found(tests::without_flushes_of_files(first_.get()), "without flushes of files",
                          "was committed, and");
}

TEST_F(PowerLoss, WithoutFlushesOfFoldersIsFound) {
  expect_that_it_is_found(tests::without_flushes_of_folders(first_.get()), "without flushes of folders",
                          "was committed, and none is left");
}

TEST_F(PowerLoss, WithTheNameFirstIsFound) {
  expect_that_it_is_found(tests::with_the_name_first(first_.get(), Recording::kRunFolder), "with the name first",
                          "the run would not start");
}

TEST_F(PowerLoss, WithTheManifestEarlyIsFound) {
  expect_that_it_is_found(tests::with_the_manifest_early(first_.get(), Recording::kRunFolder),
                          "with the manifest early", "was committed, and");
}

TEST_F(PowerLoss, WithEveryRankRenamingIsFound) {
  expect_that_it_is_found(tests::with_every_rank_renaming(first_.get(), Recording::kRunFolder),
                          "with every rank renaming", "was committed, and");
}

TEST_F(PowerLoss, WithoutAFlushOfTheModelIsFound) {
  expect_that_it_is_found(tests::without_flushes_of_the_model(first_.get()), "without a flush of the model",
                          "the model is not a whole one");
}

TEST_F(PowerLoss, WithoutPinnedOnesIsFound) {
  expect_that_it_is_found(tests::with_removal_instead_of(".pinned-", over_kept_ones_.get(), Recording::kRunFolder),
                          "without pinned ones", "a pinned checkpoint is lost");
}

TEST_F(PowerLoss, WithoutDamagedOnesIsFound) {
  expect_that_it_is_found(tests::with_removal_instead_of(".damaged-", over_kept_ones_.get(), Recording::kRunFolder),
                          "without damaged ones", "a damaged checkpoint is lost");
}

TEST_F(PowerLoss, WithoutHashesIsFound) {
  expect_among(lose_blocks("lost blocks without hashes", false), ".safetensors is not what was written");
}

}  // namespace
}  // namespace lockstep
