// CSV and JSONL files as people have them: corner cases are read exactly, mistakes are named with their line.

#include <gtest/gtest.h>

#include "data/error.h"
#include "data/review_reader.h"
#include "data/sha256.h"
#include "tar_builder.h"
#include "tests/support/process.h"

namespace lockstep::tests {
namespace {

using data::ContractError;
using data::DataError;
using Rows = std::vector<std::pair<std::string, std::string>>;  // label, text

class ReviewFileTest : public testing::Test {
 protected:
  std::vector<data::Review> reviews(const std::string& name, const std::string& content) {
    write_file(folder_ / name, content);
    const auto reader = data::open_review_file(folder_ / name, columns_);
    std::vector<data::Review> all;
    while (auto review = reader->next())
      all.push_back(*review);
    return all;
  }
  Rows rows(const std::string& name, const std::string& content) {
    Rows rows;
    for (const auto& review : reviews(name, content))
      rows.emplace_back(review.label, review.text);
    return rows;
  }
  template <typename Error>
  void expect_error(const std::string& name, const std::string& content, const std::string& part) {
    const auto error = message_of<Error>([&] { rows(name, content); });
    EXPECT_NE(error.find(part), std::string::npos) << "expected: " << part << "\nfound: " << error;
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }

  TemporaryFolder folder_;
  data::Columns columns_;
};

using Csv = ReviewFileTest;
using Jsonl = ReviewFileTest;

TEST_F(Csv, ColumnsAreFoundByNameInAnyOrder) {
  EXPECT_EQ(rows("a.csv", "id,label,text\n1,pos,good\n2,neg,bad\n"), (Rows{{"pos", "good"}, {"neg", "bad"}}));
}

TEST_F(Csv, QuotedFieldsHoldCommasQuotesAndLineEnds) {
  EXPECT_EQ(rows("a.csv", "text,label\n\"a, \"\"b\"\"\r\nc\",1\n\"\",\"0\"\n"),
            (Rows{{"1", "a, \"b\"\r\nc"}, {"0", ""}}));
}

TEST_F(Csv, ColumnsSeparatedByOtherThanCommasAreSaidToBe) {
  expect_error<ContractError>("a.csv", "text;label\ngood;1\n", "line 1: the columns look separated by semicolons");
  expect_error<ContractError>("a.csv", "text\tlabel\ngood\t1\n", "separated by tabs, ");
}

TEST_F(Csv, ByteOrderMarkCrlfBlankLinesAndMissingLastLineEndAreFine) {
  EXPECT_EQ(rows("a.csv", "\xEF\xBB\xBFtext,label\r\n\r\ngood,1\r\n\r\nbad,0"), (Rows{{"1", "good"}, {"0", "bad"}}));
}

TEST_F(Csv, ReturnAloneAtTheEndOfTheFileIsALineEnd) {
  EXPECT_EQ(rows("a.csv", "text,label\r\ngood,1\r"), (Rows{{"1", "good"}}));
  EXPECT_EQ(rows("a.csv", "text,label\ngood,\"1\"\r"), (Rows{{"1", "good"}}));
}

TEST_F(Csv, LineEndsOfReturnsAloneAreExplained) {
  expect_error<DataError>("a.csv", "text,label\rgood,1\rbad,0\r", "line 1: the lines end in CR alone; expected LF");
  expect_error<DataError>("a.csv", "text,label,id\rgood,1,2\r", "line 1: the lines end in CR alone; expected LF");
}

TEST_F(Csv, QuoteInsideAnUnquotedFieldIsOrdinary) {
  EXPECT_EQ(rows("a.csv", "text,label\n5\" disk,1\n"), (Rows{{"1", "5\" disk"}}));
}

TEST_F(Csv, IdsNameTheLineAndHashesAreOfTheBytes) {
  const auto all = reviews("a.csv", "text,label\n\"x\ny\",1\nz,0\n");
  EXPECT_TRUE(all.at(1).id.ends_with("/a.csv, line 4")) << all.at(1).id;
  EXPECT_EQ(all.at(0).sha256, data::sha256_of("x\ny"));
}

TEST_F(Csv, InvalidUtf8IsReplacedAndMarked) {
  const auto all = reviews("a.csv",
                           "text,label\na\xFF"
                           "b,1\nfine,0\n");
  EXPECT_EQ(all.at(0).text,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_TRUE(all.at(0).invalid_utf8);
  EXPECT_EQ(all.at(0).sha256, data::sha256_of("a\xFF"
                                              "b"));
  EXPECT_FALSE(all.at(1).invalid_utf8);
}

TEST_F(Csv, LabelThatIsNotUtf8IsRefused) {
  expect_error<DataError>("a.csv", "text,label\ngood,\xC4\xE0\nbad,\xCD\xE5\n",
                          "line 2: the label \"\xEF\xBF\xBD\xEF\xBF\xBD\" is not UTF-8");
}

TEST_F(Csv, LabelAsLongAsATextIsRefused) {
  EXPECT_EQ(rows("a.csv", "text,label\ngood," + std::string(1024, 'x') + "\n").size(), 1u);
  expect_error<DataError>("a.csv", "text,label\ngood," + std::string(1025, 'x') + "\n",
                          "line 2: the label has 1025 bytes, more than the 1024 that one may have; is --label_column");
}

TEST_F(Csv, MissingColumnListsTheColumnsAndSuggestsTheNearest) {
  columns_.label = "lable";
  expect_error<ContractError>("a.csv", "Text,text,label\n",
                              "the columns are: Text, text, label. Did you mean --label_column \"label\"?");
  columns_.label = "sentiment";
  expect_error<ContractError>("a.csv", "text,y\n", "Name it with --label_column");
  columns_ = {};
  expect_error<ContractError>("a.csv", "id,message,team\n",
                              "the columns are: id, message, team. Name it with --text_column");
}

TEST_F(Csv, ColumnThatAppearsTwiceIsRefused) {
  expect_error<ContractError>("a.csv", "text,label,text\n", "two columns are named \"text\"");
}

TEST_F(Csv, RaggedRowIsNamedByItsLine) {
  expect_error<DataError>("a.csv", "text,label\n\"two\nlines\",1\ngood, but long,1\n",
                          "line 4: 3 fields, but the header has 2");
  expect_error<DataError>("a.csv", "text,label\nalone\n", "line 2: 1 fields");
}

TEST_F(Csv, QuotingMistakesAreNamedByTheirLine) {
  expect_error<DataError>("a.csv", "text,label\nfine,1\n\"never closed,1\nx,0\n",
                          "the quote opened on line 3 is never closed");
  expect_error<DataError>("a.csv", "text,label\n\"a\"b,1\n", "line 2: text follows the closing quote");
}

TEST_F(Csv, EmptyLabelEmptyFileAndUtf16AreRefused) {
  expect_error<DataError>("a.csv", "text,label\ngood,\n", "line 2: the label is empty");
  expect_error<DataError>("a.csv", "", "is empty");
  expect_error<DataError>("a.csv", "\xFF\xFEt", "UTF-16");
}

TEST_F(Csv, FieldWithoutEndIsRefusedAtTheLimit) {
  expect_error<DataError>("a.csv", "text,label\n\"" + std::string(data::kMaxReviewBytes + 1, 'x') + "\",1\n",
                          "is a closing quote missing?");
}

TEST_F(Csv, RecordOfEndlessFieldsIsRefusedAtTheLimit) {
  expect_error<DataError>("a.csv", "text,label\n" + std::string(1 << 20, ',') + "\n", "line 2: more than 4096 fields");
  expect_error<DataError>("a.csv", std::string(1 << 20, ','), "line 1: more than 4096 fields");
}

TEST_F(Jsonl, KeyThatAppearsTwiceIsRefused) {
  expect_error<DataError>("a.jsonl", "{\"text\": \"a\", \"label\": 1, \"label\": 2}\n",
                          "line 1: the key \"label\" appears twice");
}

TEST_F(Jsonl, StringAndIntegerLabelsAreRead) {
  EXPECT_EQ(
      rows("a.jsonl", "{\"text\": \"caf\\u00e9\", \"label\": 1}\r\n\n{\"label\": \"neg\", \"text\": \"\", \"x\": [1]}"),
      (Rows{{"1", "caf\xC3\xA9"}, {"neg", ""}}));
}

TEST_F(Jsonl, BadLineIsNamedByItsNumber) {
  const std::string good = "{\"text\": \"a\", \"label\": 1}\n\n";
  expect_error<DataError>("a.jsonl", good + "{\"text\": \"a\", \"label\": 1\n", "line 3: not valid JSON");
  expect_error<DataError>("a.jsonl", good + "[1]\n", "line 3: found array");
  expect_error<DataError>("a.jsonl", good + "{\"text\": \"a\"}\n", "line 3: no key \"label\"");
  expect_error<DataError>("a.jsonl", good + "{\"text\": 7, \"label\": 1}\n", "line 3: the text is number");
  expect_error<DataError>("a.jsonl", good + "{\"text\": \"a\", \"label\": 0.5}\n", "line 3: the label is 0.5");
  expect_error<DataError>("a.jsonl", good + "{\"text\": \"a\", \"label\": true}\n", "line 3: the label is true");
  expect_error<DataError>("a.jsonl", good + std::string(100, '[') + "\n", "line 3: nested more than 16 levels");
}

TEST_F(Jsonl, NumbersThatJsonDoesNotHaveAreExplained) {
  for (const std::string number : {"NaN", "Infinity", "-Infinity"})
    expect_error<DataError>("a.jsonl", "{\"text\": \"a\", \"label\": 1, \"stars\": " + number + "}\n",
                            ": " + number + " is not JSON; write null");
  expect_error<DataError>("a.jsonl", "{\"text\": \"a\", \"label\": 1, \"stars\": 1e999}\n",
                          "line 1: not valid JSON: number overflow");
}

TEST_F(Jsonl, MissingKeyInTheFirstObjectIsAWrongColumn) {
  columns_.text = "txt";
  expect_error<ContractError>("a.jsonl", "{\"text\": \"a\", \"label\": 1}\n", "Did you mean --text_column \"text\"?");
  columns_ = {};
  expect_error<ContractError>("a.jsonl", "{\"message\": \"a\", \"team\": 1}\n",
                              "message, team. Name it with --text_column");
}

TEST_F(Jsonl, OneJsonArrayIsExplained) {
  expect_error<DataError>("a.json", "[\n{\"text\": \"a\", \"label\": 1}\n]\n", "the file is one JSON array");
  expect_error<DataError>("a.json", "[{\"text\": \"a\", \"label\": 1}]\n", "the file is one JSON array");
  const std::string endless(6 * data::kMaxReviewBytes, ' ');  // the longest line that is read
  expect_error<DataError>("a.json", "[" + endless + "]\n", "the file is one JSON array");
  expect_error<DataError>("a.json", endless + "{}\n", "line 1: has more than");
}

TEST_F(Jsonl, InvalidUtf8IsReplacedAndMarked) {
  const auto all = reviews("a.jsonl", "{\"text\": \"a\xC3\", \"label\": 1}\n");
  EXPECT_EQ(all.at(0).text, "a\xEF\xBF\xBD");
  EXPECT_TRUE(all.at(0).invalid_utf8);
}

TEST_F(Jsonl, LabelThatIsNotUtf8IsRefused) {
  expect_error<DataError>("a.jsonl", "{\"text\": \"a\", \"label\": \"\xC4\xE0\"}\n",
                          "line 1: the label \"\xEF\xBF\xBD\xEF\xBF\xBD\" is not UTF-8");
}

TEST_F(Jsonl, InvalidUtf8OutsideOfTheTextIsNotTheTexts) {
  EXPECT_FALSE(reviews("a.jsonl", "{\"text\": \"a\", \"label\": 1, \"by\": \"\xC4\"}\n").at(0).invalid_utf8);
}

TEST_F(ReviewFileTest, UnknownExtensionMissingFileAndOneColumnForBothAreRefused) {
  expect_error<ContractError>("a.parquet", "", "expected .csv, .jsonl or .json");
  EXPECT_THROW(data::open_review_file(folder_ / "absent.csv", {}), DataError);
  EXPECT_THROW(data::open_review_file(folder_ / "absent.jsonl", {}), DataError);
  EXPECT_THROW(data::open_review_file(folder_ / "a.csv", {"text", "text"}), ContractError);
}

TEST_F(ReviewFileTest, FolderNamedLikeAFileIsSaidToBeOne) {
  errno = ENOTTY;
  std::filesystem::create_directory(folder_ / "d.csv");
  EXPECT_EQ(message_of<DataError>([&] { data::open_review_file(folder_ / "d.csv", {}); }),
            (folder_ / "d.csv") + ": cannot be opened: Is a directory");
}

}  // namespace
}  // namespace lockstep::tests
