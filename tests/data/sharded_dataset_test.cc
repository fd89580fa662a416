// A prepared data set is believed only if every byte of it is what its manifest says.

#include "data/sharded_dataset.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <array>
#include <fstream>
#include <set>

#include "data/atomic_file.h"
#include "data/distinct_ids.h"
#include "data/error.h"
#include "small_corpus.h"
#include "tar_builder.h"
#include "tests/support/damage.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

using data::ContractError;
using data::DataError;
using data::ShardedDataset;
namespace fs = std::filesystem;

class ShardedDatasetTest : public testing::Test {
 protected:
  void SetUp() override { data::prepare(corpus_.csv("abc,1\nb,0\nabcdef,1\n", "cd,0\n")); }
  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  }
  /// As it was before it had a seal.
  static std::string without_seal(const std::string& json) { return json.substr(0, json.rfind(",\n")) + "\n}\n"; }
  std::string error_with_manifest(const std::string& json) const {
    write_file(out_ / "dataset.json", json);
    return message_of<DataError>([&] { data::load_manifest(out_); });
  }

  SmallCorpus corpus_;
  const fs::path out_ = corpus_ / "out";
  const fs::path shard_ = out_ / "train-00001-of-00002.h5";
};

/// [CLS], the word's letters (the first whole, the others continuations), [SEP]: the letter model's ids.
std::vector<int32_t> ids_of(const std::string& word) {
  std::vector<int32_t> ids = {2};
  for (const char c : word)
    ids.push_back(8 + 2 * (c - 'a') + (ids.size() > 1 ? 1 : 0));
  ids.push_back(3);
  return ids;
}

std::vector<int32_t> list(std::span<const int32_t> ids) {
  return {ids.begin(), ids.end()};
}

TEST_F(ShardedDatasetTest, ExamplesKeepTheirOrderOverShards) {
  const auto train = ShardedDataset::open(out_, "train");
  ASSERT_EQ(train.size(), 3);
  EXPECT_EQ(list(train.ids(0)), ids_of("abc"));
  EXPECT_EQ(list(train.ids(1)), ids_of("b"));
  EXPECT_EQ(list(train.ids(2)), ids_of("abcdef"));
  EXPECT_EQ(list(train.labels()), (std::vector<int32_t>{1, 0, 1}));
  EXPECT_THROW(train.ids(3), std::out_of_range);
  EXPECT_EQ(ShardedDataset::open(out_, "test").size(), 1);
}

TEST_F(ShardedDatasetTest, PackCutsAsTokenizingWithThatMaximumWould) {
  const auto train = ShardedDataset::open(out_, "train");
  const auto batch = data::pack(train, std::vector<int64_t>{2, 0}, 4);
  const auto tokenizer = data::WordPieceTokenizer::from_folder(corpus_ / "model");
  std::vector<int32_t> expected = tokenizer.encode("abcdef", 4);
  const auto second = tokenizer.encode("abc", 4);
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(batch.ids, expected);
  EXPECT_EQ(batch.offsets, (std::vector<int32_t>{0, 4, 8}));
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(batch.example_ids, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(batch.size(), 2u);
}

TEST_F(ShardedDatasetTest, PackOfNothingIsEmptyAndLongMaximumChangesNothing) {
  const auto train = ShardedDataset::open(out_, "train");
  EXPECT_EQ(data::pack(train, {}, 4).offsets, std::vector<int32_t>{0});
  EXPECT_EQ(data::pack(train, std::vector<int64_t>{2}, 512).ids, ids_of("abcdef"));
  EXPECT_THROW(data::pack(train, std::vector<int64_t>{2}, 1), std::invalid_argument);
}

TEST_F(ShardedDatasetTest, DistinctIdsOfACutBatchAreThoseThatAreLeft) {
  const auto train = ShardedDataset::open(out_, "train");
  const std::vector<int64_t> all = {0, 1, 2};
  const auto cut = data::pack(train, all, 4);
  const auto distinct = data::distinct_ids(cut.ids);
  EXPECT_EQ(std::set<int32_t>(distinct.begin(), distinct.end()), std::set<int32_t>(cut.ids.begin(), cut.ids.end()));
  EXPECT_LT(distinct.size(), data::distinct_ids(data::pack(train, all, 512).ids).size());
}

TEST_F(ShardedDatasetTest, DistinctIdsOfSharesTogetherAreThoseOfTheBatch) {
  const auto train = ShardedDataset::open(out_, "train");
  std::set<int32_t> together;  // four ranks, of which one has nothing
  for (const auto& share : std::vector<std::vector<int64_t>>{{1}, {}, {0}, {2}})
    for (const int32_t id : data::distinct_ids(data::pack(train, share, 512).ids))
      together.insert(id);
  const auto batch = data::distinct_ids(data::pack(train, std::vector<int64_t>{2, 0, 1}, 512).ids);
  EXPECT_EQ(batch, std::vector<int32_t>(together.begin(), together.end()));
}

TEST(DistinctIds, RiseAndAppearOnce) {
  EXPECT_EQ(data::distinct_ids(std::vector<int32_t>{9, 101, 0, 9, 7, 101, 9}), (std::vector<int32_t>{0, 7, 9, 101}));
  EXPECT_EQ(data::distinct_ids(std::vector<int32_t>{5}), std::vector<int32_t>{5});
  EXPECT_TRUE(data::distinct_ids({}).empty());
}

TEST_F(ShardedDatasetTest, AFileNamedShardInTheWorkingFolderDoesNotDisturb) {
  const TemporaryFolder elsewhere;
  std::ofstream(elsewhere / "shard") << "x";
  const fs::path before = fs::current_path();
  fs::current_path(elsewhere.path());
  EXPECT_NO_THROW(ShardedDataset::open(out_, "train")) << "HDF5 looks for a file of the name that an image has";
  fs::current_path(before);
}

TEST_F(ShardedDatasetTest, EachFlippedBitAndEachTruncationIsFoundAndTheFileNamed) {
  int64_t ways = 0;
  for (const char* split : {"train", "test"}) {
    const auto complaint = [&] { return message_of<DataError>([&] { ShardedDataset::open(out_, split); }); };
    for (const auto& entry : fs::directory_iterator(out_))
      if (entry.path().filename().string().starts_with(split))
        ways += expect_that_each_damage_is_named(entry.path(), complaint);
  }
  ways += expect_that_each_damage_is_named(out_ / "dataset.json",
                                           [&] { return message_of<DataError>([&] { data::load_manifest(out_); }); });
  EXPECT_GE(ways, 50'000 / static_cast<int64_t>(tests::kDamageStride));
  RecordProperty("ways", std::to_string(ways));
}

TEST_F(ShardedDatasetTest, TruncatedGrownSwappedAndMissingShardsAreRefusedByName) {
  const std::string whole = data::read_file(shard_), other = data::read_file(out_ / "train-00000-of-00002.h5");
  for (const std::string& content : {whole.substr(0, whole.size() - 1), whole + "x", other, std::string()}) {
    write_file(shard_, content);
    EXPECT_TRUE(contains(message_of<DataError>([&] { ShardedDataset::open(out_, "train"); }), shard_.string() + ": "));
  }
  fs::remove(shard_);
  EXPECT_TRUE(contains(message_of<DataError>([&] { ShardedDataset::open(out_, "train"); }), "cannot be opened"));
  EXPECT_EQ(ShardedDataset::open(out_, "test").size(), 1);
}

TEST_F(ShardedDatasetTest, AbsentSplitNamesThoseThatExist) {
  const auto error = message_of<ContractError>([&] { ShardedDataset::open(out_, "validation"); });
  EXPECT_TRUE(contains(error, "has no split \"validation\", only: test, train")) << error;
}

TEST_F(ShardedDatasetTest, ManifestRoundTrips) {
  const std::string json = data::read_file(out_ / "dataset.json");
  EXPECT_EQ(data::to_json(data::load_manifest(out_)), json);
  EXPECT_TRUE(json.ends_with("}\n"));
}

TEST_F(ShardedDatasetTest, FolderWithoutManifestIsExplained) {
  const auto error = message_of<DataError>([&] { data::load_manifest(corpus_ / "model"); });
  EXPECT_TRUE(contains(error, "is not a prepared data set; make one with: lockstep prepare")) << error;
}

TEST_F(ShardedDatasetTest, DamagedManifestsAreRefusedWithTheKey) {
  const std::string json = without_seal(data::read_file(out_ / "dataset.json"));
  const std::vector<std::array<std::string, 3>> cases = {
      {"\"schema_version\": 1", "\"schema_version\": 2", "it has schema version 2, this program reads 1"},
      {"\"schema_version\": 1", "\"schema_version\": 1, \"schema_version\": 1", "appears twice"},
      {"\"max_length\": 512", "\"max_length\": 512.0", "dataset.max_length is 512.0"},
      {"\"max_length\": 512", "\"max_length\": 18446744073709551615", "dataset.max_length is 18446744073709551615"},
      {"\"max_length\": 512", "\"max_len\": 512", "dataset.max_length is missing"},
      {"\"known_source\": false", "\"known_source\": false, \"extra\": 1", "dataset.extra is not a known key"},
      {"\"known_source\": false", "\"known_source\": 0", "neither true nor false"},
      {"\"file\": \"train-00000", "\"file\": \"../train-00000", "is not the name of a file"},
      {"\"file\": \"train-00000", "\"file\": \"/train-00000", "is not the name of a file"},
      {"\"examples\": 3", "\"examples\": 4", "splits.train.examples is 4, but"},
      {"\"truncated\": 0", "\"truncated\": -1", "truncated is -1"},
      {"\"train\": {", "\"training\": {", "splits.training is not a known split"},
      {"\"vocabulary_sha256\": \"", "\"vocabulary_sha256\": \"X", "is not a sha256"},
      {"    \"1\"\n", "    \"0\"\n", "at least two different names"}};
  for (const auto& [from, to, expected] : cases) {
    const auto error = error_with_manifest(replaced(json, from, to));
    EXPECT_TRUE(contains(error, expected) && contains(error, "dataset.json: ")) << to << ": " << error;
  }
}

TEST_F(ShardedDatasetTest, AManifestOfBeforeTheSealIsRead) {
  const std::string json = data::read_file(out_ / "dataset.json");
  write_file(out_ / "dataset.json", without_seal(json));
  EXPECT_EQ(data::to_json(data::load_manifest(out_)), json);
}

TEST_F(ShardedDatasetTest, CountsThatNoFileCanHoldAreRefused) {
  auto whole = nlohmann::json::parse(data::read_file(out_ / "dataset.json"));
  whole.erase("sha256");  // unsealed ones are read as well
  const auto error_with = [&](const char* pointer, int64_t value) {
    auto json = whole;
    json[nlohmann::json::json_pointer(pointer)] = value;
    return error_with_manifest(json.dump());
  };
  constexpr int64_t kMany = 4'000'000'000'000'000'000;
  EXPECT_TRUE(contains(error_with("/splits/train/shards/1/tokens", kMany), "shards[1].tokens is 4000000000000000000"));
  EXPECT_TRUE(contains(error_with("/splits/train/shards/1/examples", 100'000), "shards[1].examples is 100000"));
  EXPECT_TRUE(contains(error_with("/splits/train/shards/1/bytes", kMany), "shards[1].bytes is 4000000000000000000"));
  EXPECT_TRUE(contains(error_with("/splits/train/examples", kMany), "train.examples is 4000000000000000000"));
  EXPECT_TRUE(contains(error_with("/splits/train/length_histogram/0", kMany), "is 4000000000000000000"));
}

TEST_F(ShardedDatasetTest, NoMemoryIsTakenForTokensThatNoFileHolds) {
  auto json = nlohmann::json::parse(data::read_file(out_ / "dataset.json"));
  json.erase("sha256");
  auto& train = json["splits"]["train"];
  auto& shard = train["shards"][1];
  constexpr int64_t kMore = 4'000'000'000'000;
  shard["tokens"] = shard["tokens"].get<int64_t>() + kMore;
  train["tokens"] = train["tokens"].get<int64_t>() + kMore;
  shard["bytes"] = 3 * kMore;
  write_file(out_ / "dataset.json", json.dump());
  const auto error = message_of<DataError>([&] { ShardedDataset::open(out_, "train"); });
  EXPECT_TRUE(contains(error, "bytes, the manifest says 12000000000000")) << error;
}

TEST_F(ShardedDatasetTest, EveryTruncationOfTheManifestIsRefused) {
  const fs::path manifest = out_ / "dataset.json";
  fs::resize_file(manifest, fs::file_size(manifest) - 1);  // the last line end may go
  while (const auto size = fs::file_size(manifest)) {
    fs::resize_file(manifest, size - 1);
    const auto error = message_of<DataError>([&] { data::load_manifest(out_); });
    ASSERT_TRUE(contains(error, "dataset.json: is damaged")) << size - 1;
  }
}

}  // namespace
}  // namespace lockstep::tests
