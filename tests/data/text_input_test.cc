// What all readers of text files share: a disk that fails is named, and never taken for the file's end.

#include "data/text_input.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <sstream>
#include <thread>

#include "data/csv_reader.h"
#include "data/error.h"
#include "data/jsonl_reader.h"
#include "tar_builder.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

using data::DataError;
using data::TextInput;

/// Gives `good` and then fails, as std::filebuf does.
class FailingDisk : public std::stringbuf {
 public:
  explicit FailingDisk(const std::string& good) : std::stringbuf(good) {}

 protected:
  int_type underflow() override {
    const int_type c = std::stringbuf::underflow();
    if (c != traits_type::eof()) return c;
    throw std::ios_base::failure("read", std::error_code(EIO, std::generic_category()));
  }
  std::streamsize xsgetn(char* to, std::streamsize count) override {
    const auto got = std::stringbuf::xsgetn(to, count);
    return got > 0 ? got : (underflow(), 0);
  }
};

class FailingFile : public std::istream {
 public:
  explicit FailingFile(const std::string& good) : std::istream(nullptr), disk_(good) { rdbuf(&disk_); }

 private:
  FailingDisk disk_;
};

template <typename Reader>
std::string error_behind(const std::string& good) {
  return message_of<DataError>([&] {
    Reader reader(std::make_unique<FailingFile>(good), "rows", data::Columns{});
    while (reader.next()) {
    }
  });
}

std::string all_of(TextInput input) {
  std::string bytes;
  for (int c; (c = input.get()) != TextInput::kEnd;)
    bytes.push_back(static_cast<char>(c));
  return bytes;
}

std::string all_of(const std::string& content) {
  return all_of(TextInput(std::make_unique<std::istringstream>(content), "rows"));
}

TEST(TextInput, GivesAllBytesBehindTheByteOrderMark) {
  const std::string much(200'000, '\xFF');
  EXPECT_EQ(all_of("\xEF\xBB\xBF" + much), much);
  EXPECT_EQ(all_of("\xEF\xBB"), "\xEF\xBB");
  EXPECT_EQ(all_of(""), "");
}

TEST(TextInput, Utf16IsRefusedWithAndWithoutItsMark) {
  for (const std::string& start : {std::string("\xFF\xFEt\0", 4), std::string("\xFE\xFF\0t", 4),
                                   std::string("t\0e\0", 4), std::string("\0t\0e", 4)})
    EXPECT_TRUE(contains(message_of<DataError>([&] { all_of(start); }), "rows: is UTF-16")) << start;
}

TEST(TextInput, DiskThatFailsIsNoEndOfTheFile) {
  const std::string row = "{\"text\": \"a\", \"label\": 1}\n", expected = "rows: cannot be read: Input/output error";
  EXPECT_EQ(error_behind<data::JsonlReader>(row), expected);
  EXPECT_EQ(error_behind<data::JsonlReader>(row + "{\"te"), expected);
  EXPECT_EQ(error_behind<data::CsvReader>("text,label\na,1\n"), expected);
  EXPECT_EQ(error_behind<data::CsvReader>("text,label\na,1\nb"), expected);
  EXPECT_EQ(error_behind<data::CsvReader>("text,label\na,1\n\"b"), expected);
}

TEST(TextInput, NamedPipeIsReadWhole) {
  TemporaryFolder folder;
  const std::string pipe = folder / "rows.csv";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { write_file(pipe, "label,text\n1,a\n0,b\n"); });
  const auto reader = data::open_review_file(pipe, {});
  EXPECT_EQ(reader->next()->text, "a");
  EXPECT_EQ(reader->next()->text, "b");
  EXPECT_FALSE(reader->next());
  writer.join();
}

}  // namespace
}  // namespace lockstep::tests
