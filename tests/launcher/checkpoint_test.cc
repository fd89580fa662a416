// What a checkpoint is on disk, and what counts as valid.
#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/atomic_file.h"
#include "data/seal.h"
#include "data/sha256.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "tests/launcher/stored_checkpoints.h"
#include "tests/support/damage.h"
#include "tests/support/require.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using tests::Checkpoints;
using tests::counted_from;
using tests::kElements;
using tests::kTensors;
using tests::problem_of_all;
using tests::write_checkpoint;

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
  EXPECT_GE(ways, 50'000 / static_cast<int64_t>(tests::kDamageStride));
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
  fs::copy_file(folder / shard_name(1, 2), folder / shard_name(2, 3));  // as another number of ranks would call it
  std::ofstream(folder / shard_name(0, 3)) << "x";
  EXPECT_EQ(problem_of_all(folder), "");
  EXPECT_EQ(read_checkpoint(folder).manifest->shards.size(), 2u);
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

/// That has keys which nobody knows yet, too.
TEST_F(Checkpoints, ANewerFormatIsRefusedByItsNumber) {
  const fs::path folder = write_checkpoint(run_folder(), 7, 1);
  auto json = nlohmann::json::parse(tests::read_file(folder / kManifestName));
  json.erase("sha256");
  json["format"] = 3;
  json["unheard_of"] = 1;
  data::write_file_atomically(folder / kManifestName, data::sealed(json.dump(2)));
  EXPECT_EQ(problem_of_all(folder), "manifest.json: its format is 3, this program reads 1 to 2");
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
