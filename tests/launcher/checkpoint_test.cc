// What a checkpoint is on disk: what counts as valid, which ones are kept.
#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/atomic_file.h"
#include "data/sha256.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/shard.h"
#include "launcher/checkpoint/store.h"
#include "launcher/errors.h"
#include "tests/end_to_end/program.h"
#include "tests/launcher/counted_state.h"
#include "tests/support/damage.h"
#include "tests/support/require.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::counted_from;
using tests::kElements;
using tests::kTensors;

/// A whole checkpoint as `world_size` ranks leave it.
fs::path write_checkpoint(const fs::path& run_folder, int64_t step, int world_size, const std::string& run = "run",
                          int64_t attempt = 1) {
  fs::create_directories(run_folder);
  const fs::path folder = make_unfinished(run_folder, step);
  CheckpointManifest manifest;
  manifest.run = run;
  manifest.attempt = attempt;
  manifest.step = step;
  manifest.world_size = world_size;
  manifest.facts = {{"learning_rate", "5e-05"}};
  manifest.tensors = kTensors;
  manifest.training = {{"seconds", 0.1}};
  for (int rank = 0; rank < world_size; ++rank) {
    const ElementRange range = range_of_rank(kElements, rank, world_size);
    const auto first = static_cast<float>(1000 * step + range.begin);
    const FlatState part{counted_from(first, range.size()), counted_from(first + 100, range.size()),
                         counted_from(first + 200, range.size())};
    const auto slices = slices_of(range, kTensors);
    manifest.shards.push_back({write_shard(folder / shard_name(rank, world_size), part, slices), slices});
  }
  manifest.files.push_back(write_hashed(folder / "trainer_state.json", "{}\n"));
  write_hashed(folder / kManifestName, to_text(manifest));
  const PublishedCheckpoint published = publish_checkpoint(folder, run_folder, step);
  settle(published);
  return published.folder;
}

std::string problem_of_all(const fs::path& folder) {
  return problem_with(read_checkpoint(folder), true).value_or("");
}

std::vector<std::string> names(const std::vector<fs::path>& folders) {
  std::vector<std::string> found;
  for (const fs::path& folder : folders)
    found.push_back(folder.filename());
  return found;
}

std::vector<std::string> listed(const fs::path& run_folder) {
  std::vector<fs::path> folders;
  for (const StoredCheckpoint& stored : list_checkpoints(run_folder))
    folders.push_back(stored.folder);
  return names(folders);
}

class Checkpoints : public testing::Test {
 protected:
  fs::path run_folder() const { return folder_.path() / "run"; }
  tests::TemporaryFolder folder_;
};

TEST_F(Checkpoints, ANewerAttemptsCheckpointKeepsItsName) {
  write_checkpoint(run_folder(), 7, 1, "run", 3);
  EXPECT_THROW(write_checkpoint(run_folder(), 7, 2, "run", 2), LockedError);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->attempt, 3);
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-7"), "");
  write_checkpoint(run_folder(), 7, 2, "run", 4);
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->attempt, 4);
}

TEST_F(Checkpoints, StateComesBackWhateverTheNumberOfShards) {
  for (const int world_size : {1, 2, 3, 23, 40}) {
    const StoredCheckpoint stored = read_checkpoint(write_checkpoint(run_folder(), 7, world_size));
    ASSERT_TRUE(stored.manifest) << stored.problem;
    FlatState state;
    state.resize(kElements);
    for (const ShardEntry& shard : stored.manifest->shards)
      read_shard(stored.folder, shard, kTensors, state);
    EXPECT_EQ(state.parameters, counted_from(7000, kElements));
    EXPECT_EQ(state.m, counted_from(7100, kElements));
    EXPECT_EQ(state.v, counted_from(7200, kElements));
  }
}

TEST_F(Checkpoints, EachFlippedBitAndEachTruncationIsFoundAndTheFileNamed) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 10);
  int64_t ways = 0;
  for (const auto& entry : fs::directory_iterator(folder))
    ways += tests::expect_that_each_damage_is_named(entry.path(), [&] { return problem_of_all(folder); });
  EXPECT_GE(ways, 50'000);
  RecordProperty("ways", std::to_string(ways));
}

TEST_F(Checkpoints, ShardsOfAnotherStepOrRunAndMissingOnesAreFound) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 2), other = write_checkpoint(run_folder(), 8, 2);
  const std::string first = shard_name(0, 2), second = shard_name(1, 2);
  EXPECT_EQ(fs::file_size(folder / first), fs::file_size(other / first));
  fs::copy_file(other / first, folder / first, fs::copy_options::overwrite_existing);
  EXPECT_THAT(problem_of_all(folder), HasSubstr(first + ": its sha256 is "));
  EXPECT_THAT(problem_with(read_checkpoint(folder), false).value_or("fine"), "fine") << "sizes alone do not tell";
  fs::remove(other / second);
  EXPECT_THAT(problem_of_all(other), HasSubstr(second));
  std::ofstream(folder_ / "x") << "";
  fs::copy_file(folder_ / "x", other / second);
  EXPECT_THAT(problem_of_all(other), HasSubstr(second + ": has 0 bytes"));
}

TEST_F(Checkpoints, FilesThatTheManifestDoesNotNameAreNotItsConcern) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 2);
  std::ofstream(folder / "notes.txt") << "x";
  EXPECT_EQ(problem_of_all(folder), "");
}

class NeverAgain : public Checkpoints {};

// orbax#394: for lack of its marker, a checkpoint that was copied elsewhere was taken for an unfinished one and
// deleted.
TEST_F(NeverAgain, ACopyElsewhereIsTakenForUnfinished) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 2), elsewhere = folder_.path() / "another run";
  fs::create_directories(elsewhere / "checkpoint-7");
  for (const auto& entry : fs::directory_iterator(folder))
    std::ofstream(elsewhere / "checkpoint-7" / entry.path().filename(), std::ios::binary)
        << tests::read_file(entry.path());
  remove_unfinished(elsewhere);
  ASSERT_THAT(listed(elsewhere), ElementsAre("checkpoint-7"));
  EXPECT_EQ(problem_of_all(elsewhere / "checkpoint-7"), "");
}

/// A manifest changed at one place, and sealed again.
std::string problem_with_changed(const CheckpointManifest& manifest, const std::string& pointer,
                                 const nlohmann::json& value) {
  std::string text = to_text(manifest);
  auto json = nlohmann::json::parse(text);
  json.erase("sha256");
  json[nlohmann::json::json_pointer(pointer)] = value;
  std::string body = json.dump();
  body.pop_back();
  try {
    parse_manifest(body + ",\n  \"sha256\": \"" + data::sha256_of(body) + "\"\n}\n");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

TEST_F(Checkpoints, AManifestThatCountsWhatCannotBeIsRefusedWithTheKey) {
  const CheckpointManifest manifest = *read_checkpoint(write_checkpoint(run_folder(), 7, 1)).manifest;
  const auto problem = [&](const char* pointer, const nlohmann::json& value) {
    return problem_with_changed(manifest, pointer, value);
  };
  EXPECT_EQ(problem("/step", 8), "");
  EXPECT_THAT(problem("/step", -1), HasSubstr("manifest.step is -1"));
  EXPECT_THAT(problem("/step", 1.5), HasSubstr("manifest.step is 1.5"));
  EXPECT_THAT(problem("/step", 18446744073709551615U), HasSubstr("manifest.step is 18446744073709551615"));
  EXPECT_THAT(problem("/format", 1.0), HasSubstr("manifest.format is 1.0"));
  EXPECT_THAT(problem("/world_size", 4294967297), HasSubstr("manifest.world_size is 4294967297"));
  EXPECT_THAT(problem("/unheard_of", 1), HasSubstr("manifest.unheard_of is not a known key"));
  EXPECT_THAT(problem("/shards/0/unheard_of", 1), HasSubstr("shards.unheard_of is not a known key"));
  EXPECT_THAT(problem("/tensors/0/shape", {-2}), HasSubstr("tensors.shape is -2"));
  EXPECT_THAT(problem("/tensors/0/shape", {1 << 30, 1 << 30}), HasSubstr("larger than any model"));
  EXPECT_THAT(problem("/facts/learning_rate", 1), HasSubstr("facts.learning_rate is not a string"));
  EXPECT_THAT(problem("/files/0/sha256", "x"), HasSubstr("files.sha256 is not a sha256"));
  EXPECT_THAT(problem("/files/0/name", std::string("a\0b", 3)), HasSubstr("not the name of a file"));
}

TEST_F(Checkpoints, AManifestOfMoreElementsThanItsFilesHoldIsRefused) {
  CheckpointManifest manifest = *read_checkpoint(write_checkpoint(run_folder(), 7, 1)).manifest;
  manifest.tensors.push_back({"more", {1'000'000'000}});
  manifest.shards[0].slices.push_back({"more", 0, 1'000'000'000});
  EXPECT_THAT(problem_with_changed(manifest, "/step", 7), HasSubstr("1000000023 elements lie in the"));
}

TEST_F(Checkpoints, AManifestWithAKeyTwiceOrNestedDeeplyIsRefused) {
  for (const std::string& body : {std::string("{\"format\": 1, \"format\": 1"), "{\"x\": " + std::string(100'000, '[')})
    EXPECT_THROW(parse_manifest(body + ",\n  \"sha256\": \"" + data::sha256_of(body) + "\"\n}\n"), CheckpointError);
}

TEST_F(Checkpoints, AManifestThatNamesFilesElsewhereOrOfAnotherFormatIsRefused) {
  CheckpointManifest manifest = *read_checkpoint(write_checkpoint(run_folder(), 7, 1)).manifest;
  manifest.files[0].name = "../x";
  EXPECT_THROW(parse_manifest(to_text(manifest)), CheckpointError);
  manifest.files[0].name = "x";
  EXPECT_NO_THROW(parse_manifest(to_text(manifest)));
  manifest.shards[0].slices.pop_back();
  EXPECT_THROW(parse_manifest(to_text(manifest)), CheckpointError);
}

TEST_F(Checkpoints, ADoubleComesBackBitForBit) {
  CheckpointManifest manifest = *read_checkpoint(write_checkpoint(run_folder(), 7, 1)).manifest;
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0}) {
    manifest.training = {{"x", value}};
    const double back = parse_manifest(to_text(manifest)).training["x"];
    EXPECT_EQ(std::bit_cast<uint64_t>(back), std::bit_cast<uint64_t>(value)) << value;
  }
}

TEST_F(Checkpoints, AreListedDamagedOnesFirstThenTheNewestTraining) {
  write_checkpoint(run_folder(), 90, 1, "old", 1);
  write_checkpoint(run_folder(), 9, 1, "new", 2);
  write_checkpoint(run_folder(), 10, 1, "new", 2);
  fs::create_directories(run_folder() / "checkpoint-50");
  fs::create_directories(run_folder() / "checkpoint-5x");
  fs::create_directories(run_folder() / ".checkpoint-99.writing-1");
  std::ofstream(run_folder() / "checkpoint-7") << "a file";
  EXPECT_THAT(listed(run_folder()), ElementsAre("checkpoint-50", "checkpoint-10", "checkpoint-9", "checkpoint-90"));
  EXPECT_THAT(listed(run_folder() / "none"), IsEmpty());
}

TEST_F(Checkpoints, ASecondOneOfAStepReplacesASoundOneAndKeepsADamagedOne) {
  write_checkpoint(run_folder(), 7, 2, "first");
  write_checkpoint(run_folder(), 7, 3, "second");
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->run, "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(run_folder()), {}), 1);
  fs::resize_file(run_folder() / "checkpoint-7" / kManifestName, 10);
  write_checkpoint(run_folder(), 7, 1, "third");
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-7").manifest->run, "third");
  EXPECT_EQ(fs::file_size(run_folder() / "checkpoint-7.damaged-1" / kManifestName), 10u);
}

TEST_F(Checkpoints, WhatWasLeftUnfinishedIsRemovedAndNothingElse) {
  make_unfinished(run_folder().parent_path(), 3);
  fs::create_directories(folder_.path() / ".model-part-1");
  fs::create_directories(folder_.path() / ".checkpoint-notes");
  fs::create_directories(folder_.path() / "checkpoint-4");
  remove_unfinished(folder_.path());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 2);
}

TEST_F(Checkpoints, APinnedOneIsNeverRemoved) {
  for (const int64_t step : {1, 2, 3})
    write_checkpoint(run_folder(), step, 1);
  std::ofstream(run_folder() / "checkpoint-1" / "pinned") << "";
  EXPECT_THAT(names(surplus(list_checkpoints(run_folder()), "run", 1, -1)), ElementsAre("checkpoint-2"));
  EXPECT_THAT(tests::lockstep("list " + run_folder().string()).output,
              testing::ContainsRegex("checkpoint-1 .*: complete, pinned\n$"));
  write_checkpoint(run_folder(), 1, 2, "another");
  EXPECT_EQ(read_checkpoint(run_folder() / "checkpoint-1").manifest->run, "another");
  EXPECT_EQ(problem_of_all(run_folder() / "checkpoint-1.pinned-1"), "");
}

TEST_F(Checkpoints, SurplusLeavesTheNewestTheBestAndWhatOthersWrote) {
  for (const int64_t step : {1, 2, 3, 4, 5})
    write_checkpoint(run_folder(), step, 1);
  write_checkpoint(run_folder(), 9, 1, "another");
  const auto removed = [&](int64_t limit, int64_t best) {
    return names(surplus(list_checkpoints(run_folder()), "run", limit, best));
  };
  EXPECT_THAT(removed(0, -1), IsEmpty());
  EXPECT_THAT(removed(5, -1), IsEmpty());
  EXPECT_THAT(removed(2, -1), ElementsAre("checkpoint-3", "checkpoint-2", "checkpoint-1"));
  EXPECT_THAT(removed(2, 2), ElementsAre("checkpoint-3", "checkpoint-1"));
  EXPECT_THAT(removed(1, 5), ElementsAre("checkpoint-4", "checkpoint-3", "checkpoint-2", "checkpoint-1"));
  fs::resize_file(run_folder() / "checkpoint-5" / "trainer_state.json", 1);
  fs::resize_file(run_folder() / "checkpoint-2" / kManifestName, 1);
  EXPECT_THAT(removed(1, -1), ElementsAre("checkpoint-3", "checkpoint-1")) << "damaged ones neither count nor go";
  remove_checkpoint(run_folder() / "checkpoint-3");
  EXPECT_THAT(listed(run_folder()),
              ElementsAre("checkpoint-2", "checkpoint-9", "checkpoint-5", "checkpoint-4", "checkpoint-1"));
}

TEST_F(Checkpoints, PythonAndSha256sumReadThem) {
  const std::string python = tests::environment("LOCKSTEP_PYTHON");
  LOCKSTEP_NEEDS("transformers", fs::exists(python), "no Python with safetensors");
  const fs::path folder = write_checkpoint(run_folder(), 7, 3);
  const std::string script = tests::environment("LOCKSTEP_SOURCE") + "/tests/launcher/read_checkpoint.py";
  const tests::Outcome outcome = tests::run(python + " " + script + " " + folder.string());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("parameters/words [7008.0, 7009.0, 7010.0] ... 15"));
  EXPECT_THAT(outcome.output, HasSubstr("v/head.bias [7200.0, 7201.0] ... 2"));
  fs::resize_file(folder / "trainer_state.json", 1);
  EXPECT_NE(tests::run(python + " " + script + " " + folder.string()).exit_code, 0);
}

}  // namespace
}  // namespace lockstep
