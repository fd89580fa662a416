// aclImdb, as a folder and inside an archive.

#include "data/imdb_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "data/error.h"
#include "tar_builder.h"
#include "tests/support/process.h"

namespace lockstep::tests {
namespace {

using data::DataError;
using data::ImdbReader;

std::vector<data::Review> sorted_reviews(const std::string& source, const std::string& split) {
  ImdbReader reader(source, split);
  std::vector<data::Review> all;
  while (auto review = reader.next())
    all.push_back(*review);
  std::sort(all.begin(), all.end(), data::imdb_order);
  return all;
}

std::vector<std::string> ids(const std::string& source, const std::string& split) {
  std::vector<std::string> all;
  for (const auto& review : sorted_reviews(source, split))
    all.push_back(review.id);
  return all;
}

TEST(ImdbReader, OnlyLabelledTextsOfTheSplitAreRead) {
  TemporaryFolder folder;
  write_file(folder / "a.tar", TarBuilder()
                                   .add("aclImdb/README", "no review")
                                   .add("aclImdb/train/unsup/0_0.txt", "no label")
                                   .add("aclImdb/train/pos/1_8.txt", "good")
                                   .add("aclImdb/train/pos/._1_8.txt", "a file manager's")
                                   .add("aclImdb/train/neg/1_2.txt", "bad")
                                   .add("aclImdb/test/neg/1_1.txt", "worse")
                                   .add("aclImdb/train/labeledBow.feat", "no review")
                                   .finished());
  const auto train = sorted_reviews(folder / "a.tar", "train");
  ASSERT_EQ(train.size(), 2u);
  EXPECT_EQ(train[0].id, "train/neg/1_2.txt");
  EXPECT_EQ(train[0].label, "neg");
  EXPECT_EQ(train[1].text, "good");
  EXPECT_EQ(ids(folder / "a.tar", "test"), std::vector<std::string>{"test/neg/1_1.txt"});
}

TEST(ImdbReader, OrderIsByLabelThenNumberThenPath) {
  TemporaryFolder folder;
  TarBuilder tar;
  for (const std::string name : {"pos/2_7", "neg/10_1", "neg/9_1", "neg/x_1", "neg/9_0", "pos/10_7"})
    tar.add("train/" + name + ".txt", "t");
  write_file(folder / "a.tar", tar.finished());
  EXPECT_EQ(ids(folder / "a.tar", "train"),
            (std::vector<std::string>{"train/neg/9_0.txt", "train/neg/9_1.txt", "train/neg/10_1.txt",
                                      "train/neg/x_1.txt", "train/pos/2_7.txt", "train/pos/10_7.txt"}));
}

TEST(ImdbReader, FolderItselfItsParentAndItsArchiveGiveTheSameReviews) {
  const std::string corpus = environment("LOCKSTEP_SOURCE") + "/tests/fixtures/smoke";
  TemporaryFolder folder;
  ASSERT_EQ(run("tar -C '" + corpus + "' -czf '" + (folder / "a.tar.gz") + "' aclImdb").exit_code, 0);
  for (const std::string split : {"train", "test"}) {
    const auto expected = ids(corpus + "/aclImdb", split);
    EXPECT_EQ(expected.size(), split == "train" ? 40u : 16u);
    EXPECT_EQ(ids(corpus, split), expected);
    EXPECT_EQ(ids(folder / "a.tar.gz", split), expected);
  }
}

TEST(ImdbReader, TwoCorporaInOneArchiveAreRefused) {
  TemporaryFolder folder;
  write_file(folder / "a.tar", TarBuilder().add("a/train/pos/1_8.txt", "x").add("b/test/pos/1_8.txt", "x").finished());
  const auto error = message_of<DataError>([&] { ids(folder / "a.tar", "train"); });
  EXPECT_NE(error.find("below \"a\" and below \"b\""), std::string::npos) << error;
}

TEST(ImdbReader, OtherFoldersAndOversizeTextsAreRefused) {
  TemporaryFolder folder;
  EXPECT_THROW(ImdbReader(folder.path(), "train"), DataError);
  EXPECT_THROW(ImdbReader(folder / "absent", "train"), DataError);
  std::filesystem::create_directories(folder / "train/pos");
  write_file(folder / "train/pos/1_8.txt", std::string(data::kMaxReviewBytes + 1, 'x'));
  const auto error = message_of<DataError>([&] { ids(folder.path(), "train"); });
  EXPECT_NE(error.find("1_8.txt: has 16777217 bytes"), std::string::npos) << error;
}

TEST(ImdbReader, WhatIsNoFileIsNamed) {
  TemporaryFolder folder;
  const std::string path = folder / "train/pos/1_8.txt";
  std::filesystem::create_directories(folder / "train/pos");
  const auto expect_refused = [&] {
    EXPECT_EQ(message_of<DataError>([&] { ids(folder.path(), "train"); }), path + ": is not a file; expected a text");
    std::filesystem::remove(path);
  };
  std::filesystem::create_directory(path);
  expect_refused();
  std::filesystem::create_symlink("absent", path);
  expect_refused();
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_refused();
}

}  // namespace
}  // namespace lockstep::tests
