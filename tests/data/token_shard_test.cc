// The format of one shard: what is written is read back, by us and by h5py; anything else is refused by name.

#include "data/token_shard.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/sha256.h"
#include "reference_tokenizer.h"
#include "tar_builder.h"
#include "tests/support/process.h"
#include "tests/support/require.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

using data::ContractError;
using data::DataError;
using data::ShardContract;
using data::TokenShard;
using data::TokenShardWriter;

const ShardContract kContract = {"train", std::string(64, '0'), 10, 2};
const std::vector<std::vector<int32_t>> kExamples = {{2, 5, 3}, {2, 7, 8, 3}};

data::ShardEntry write_shard(const std::string& path, const ShardContract& contract = kContract) {
  TokenShardWriter writer(path, contract);
  for (size_t i = 0; i < kExamples.size(); ++i)
    writer.add(kExamples[i], static_cast<int32_t>(i));
  return writer.finish();
}

TokenShard parse(const std::string& path, const ShardContract& contract = kContract) {
  return data::parse_token_shard(data::read_file(path), path, contract);
}

TEST(TokenShard, WhatIsWrittenIsRead) {
  TemporaryFolder folder;
  const auto entry = write_shard(folder / "a.h5");
  EXPECT_EQ(entry.file, "a.h5");
  EXPECT_EQ(entry.examples, 2);
  EXPECT_EQ(entry.tokens, 7);
  EXPECT_EQ(entry.bytes, static_cast<int64_t>(std::filesystem::file_size(folder / "a.h5")));
  EXPECT_EQ(entry.sha256, data::sha256_of_file(folder / "a.h5"));
  const TokenShard shard = parse(folder / "a.h5");
  EXPECT_EQ(shard.ids, (std::vector<int32_t>{2, 5, 3, 2, 7, 8, 3}));
  EXPECT_EQ(shard.offsets, (std::vector<int64_t>{0, 3, 7}));
  EXPECT_EQ(shard.labels, (std::vector<int32_t>{0, 1}));
}

TEST(TokenShard, EqualContentGivesEqualBytesAtAnyTime) {
  TemporaryFolder folder;
  const auto first = write_shard(folder / "a.h5");
  ASSERT_EQ(run("sleep 1.1").exit_code, 0);  // HDF5's times count seconds
  EXPECT_EQ(write_shard(folder / "b.h5").sha256, first.sha256);
}

TEST(TokenShard, IdsAbove65535AreStoredWide) {
  TemporaryFolder folder;
  ShardContract contract = kContract;
  contract.vocabulary_size = 65537;
  TokenShardWriter writer(folder / "a.h5", contract);
  writer.add(std::vector<int32_t>{65536}, 0);
  writer.finish();
  EXPECT_EQ(parse(folder / "a.h5", contract).ids, std::vector<int32_t>{65536});
}

TEST(TokenShard, WriterRefusesWhatTheReaderWould) {
  TemporaryFolder folder;
  TokenShardWriter writer(folder / "a.h5", kContract);
  EXPECT_THROW(writer.add(std::vector<int32_t>{10}, 0), DataError);
  EXPECT_THROW(writer.add(std::vector<int32_t>{-1}, 0), DataError);
  EXPECT_THROW(writer.add(std::vector<int32_t>{1}, 2), DataError);
  EXPECT_THROW(writer.add(std::vector<int32_t>{1}, -1), DataError);
  EXPECT_THROW(writer.add({}, 0), DataError);
  EXPECT_THROW(writer.finish(), DataError);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5"));
}

TEST(TokenShard, SmallerVocabularyFewerClassesOtherSplitOrVocabularyAreRefused) {
  TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  write_shard(path);
  const auto data_error = [&](ShardContract contract) { return message_of<DataError>([&] { parse(path, contract); }); };
  const auto contract_error = [&](ShardContract c) { return message_of<ContractError>([&] { parse(path, c); }); };
  EXPECT_TRUE(contains(data_error({"train", kContract.vocabulary_sha256, 8, 2}), path + ": holds id 8"));
  EXPECT_TRUE(contains(data_error({"train", kContract.vocabulary_sha256, 10, 1}), path + ": holds label 1"));
  EXPECT_TRUE(
      contains(contract_error({"test", kContract.vocabulary_sha256, 10, 2}), "split \"train\", expected \"test\""));
  EXPECT_TRUE(contains(contract_error({"train", std::string(64, '1'), 10, 2}), "another vocabulary"));
}

TEST(TokenShard, EveryTruncationIsRefusedByName) {
  TemporaryFolder folder;
  write_shard(folder / "a.h5");
  const std::string whole = data::read_file(folder / "a.h5");
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto parse_part = [&] { data::parse_token_shard(whole.substr(0, size), "a.h5", kContract); };
    ASSERT_TRUE(contains(message_of<DataError>(parse_part), "a.h5: ")) << size;
  }
}

TEST(TokenShard, OtherFilesAreNoShards) {
  const auto error = message_of<DataError>([] { data::parse_token_shard("text", "a.h5", kContract); });
  EXPECT_TRUE(contains(error, "a.h5: is not a readable HDF5 file")) << error;
  EXPECT_THROW(data::parse_token_shard("", "a.h5", kContract), DataError);
}

TEST(TokenShard, NoFileMakesHdf5LoadAPlugin) {
  EXPECT_THROW(data::parse_token_shard("text", "a.h5", kContract), DataError);
  unsigned plugins = ~0U;
  ASSERT_GE(H5PLget_loading_state(&plugins), 0);
  EXPECT_EQ(plugins, 0U);
}

class ForeignShards : public testing::Test {
 protected:
  void SetUp() override {
    LOCKSTEP_NEEDS("transformers", python_has("h5py"), "LOCKSTEP_PYTHON has no h5py");
    script_ = "'" + (source_folder() / "tests/data/foreign_shards.py").string() + "'";
  }
  std::string script_;
  TemporaryFolder folder_;
};

TEST_F(ForeignShards, H5pyReadsWhatWeWrite) {
  write_shard(folder_ / "a.h5");
  EXPECT_EQ(run_python(script_, "--show '" + (folder_ / "a.h5") + "'"),
            "ids <u2 None None 2 5 3 2 7 8 3\nlabels <i4 None None 0 1\noffsets <i8 None None 0 3 7\n"
            "schema_version 1\nsplit train\nvocabulary_sha256 " +
                std::string(64, '0') + "\n");
}

TEST_F(ForeignShards, WhatH5pyWritesInTheFormatIsRead) {
  run_python(script_, folder_.path());
  EXPECT_EQ(parse(folder_ / "good.h5").ids, (std::vector<int32_t>{2, 5, 3, 2, 7, 8, 3}));
}

TEST_F(ForeignShards, EverythingElseIsRefusedByNameAndReason) {
  const std::vector<std::pair<std::string, std::string>> reasons = {
      {"future_schema", "schema version 2"},
      {"other_split", "split \"test\""},
      {"other_vocabulary", "another vocabulary"},
      {"wide_ids", "ids has another number type"},
      {"big_endian_labels", "labels has another number type"},
      {"float_labels", "labels has another number type"},
      {"matrix_ids", "ids is not a vector"},
      {"id_too_large", "holds id 10"},
      {"label_too_large", "holds label 2"},
      {"negative_label", "holds label -1"},
      {"offsets_fall", "offsets do not rise"},
      {"offsets_stand", "offsets do not rise"},
      {"offsets_short", "offsets do not run from 0"},
      {"offsets_late", "offsets do not run from 0"},
      {"too_few_offsets", "expected one offset more"},
      {"missing_labels", "holds 2 objects"},
      {"missing_ids", "has no dataset ids"},
      {"extra_dataset", "holds 4 objects"},
      {"soft_link", "ids is a link"},
      {"external_link", "ids is a link"},
      {"group", "dataset ids cannot be opened"},
      {"empty", "ids declares 0 elements"},
      {"chunked", "ids is chunked"},
      {"compressed", "ids is chunked"},
      {"plugin", "ids is chunked"},
      {"shuffled", "ids is chunked"},
      {"checked", "ids is chunked"},
      {"scaled", "ids is chunked"},
      {"compact", "ids is chunked, compact"},
      {"growing", "ids is chunked"},
      {"committed_type", "dataset offsets cannot be opened"},
      {"link_to_a_missing_file", "ids is a link"},
      {"soft_link_out", "ids is a link"},
      {"external_storage", "ids is stored in other files"},
      {"declared_bomb", "ids declares 536870912 elements"},
      {"virtual", "ids is chunked, compact or virtual"},
      {"no_attributes", "has no attribute schema_version"},
      {"long_attribute", "attribute split is not one short string"}};
  run_python(script_, folder_.path());
  for (const auto& [name, reason] : reasons) {
    const std::string path = folder_ / (name + ".h5");
    const auto error = message_of<std::runtime_error>([&] { parse(path); });
    EXPECT_TRUE(contains(error, path + ": ") && contains(error, reason)) << name << ": " << error;
  }
}

}  // namespace
}  // namespace lockstep::tests
