// What cannot be looked at is bad input, and is named.

#include "data/input_path.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/error.h"
#include "data/prepare.h"
#include "small_corpus.h"
#include "tar_builder.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

using data::DataError;
namespace fs = std::filesystem;

TEST(InputPath, TellsFilesFromFoldersAndFromNothing) {
  const TemporaryFolder folder;
  write_file(folder / "file", "x");
  fs::create_symlink("file", folder / "link");
  fs::create_symlink("nothing", folder / "dangling");
  EXPECT_TRUE(data::is_folder(folder.path()));
  EXPECT_FALSE(data::is_file(folder.path()));
  EXPECT_TRUE(data::is_file(folder / "link"));
  EXPECT_FALSE(data::is_folder(folder / "link"));
  EXPECT_FALSE(data::is_there(folder / "dangling"));
  EXPECT_FALSE(data::is_there(folder / "file/below"));
  auto paths = data::paths_in(folder.path());
  std::sort(paths.begin(), paths.end());
  EXPECT_EQ(paths, (std::vector<fs::path>{folder / "dangling", folder / "file", folder / "link"}));
}

TEST(InputPath, WhatCannotBeLookedAtIsADataErrorThatNamesIt) {
  const TemporaryFolder folder;
  fs::create_symlink("circle", folder / "circle");
  for (const std::string& path : {folder / "circle", folder / std::string(300, 'x')}) {
    EXPECT_TRUE(contains(message_of<DataError>([&] { data::is_there(path); }), "cannot read " + path + ": "));
    EXPECT_TRUE(contains(message_of<DataError>([&] { data::paths_in(path); }), "cannot read " + path + ": "));
  }
}

TEST(InputPath, ACircleOfLinksAsSourceOrModelIsNamed) {
  SmallCorpus corpus;
  fs::create_symlink("circle", corpus / "circle");
  auto options = corpus.imdb(corpus / "circle");
  EXPECT_TRUE(contains(message_of<DataError>([&] { data::prepare(options); }), "cannot read " + (corpus / "circle")));
  options = corpus.csv("a,1\nb,0\n");
  options.model = corpus / "circle";
  EXPECT_TRUE(contains(message_of<DataError>([&] { data::prepare(options); }), "cannot read " + (corpus / "circle")));
}

}  // namespace
}  // namespace lockstep::tests
