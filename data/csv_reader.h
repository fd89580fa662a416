#pragma once

#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/review_reader.h"
#include "data/text_input.h"

namespace lockstep::data {

/// RFC 4180 records: fields in quotes may hold commas, doubled quotes and line ends; LF or CRLF, and CR at the file's
/// end; a byte order mark is dropped; blank lines are passed over. A quote inside an unquoted field is an ordinary
/// character.
class CsvRecords {
 public:
  /// `file` is how errors call it.
  CsvRecords(std::unique_ptr<std::istream> input, const std::filesystem::path& file);
  /// The next record's fields, or nothing at the end. Throws DataError naming the line.
  std::optional<std::vector<std::string>> next();
  /// "reviews.csv, line 7": where the record that next() returned last begins.
  std::string place() const;

 private:
  enum class End { kField, kRecord, kFile };
  End read_field(std::string& field);
  void read_quoted(std::string& field);
  std::optional<End> end_at(int c);
  void append(std::string& field, int c);

  TextInput input_;
  int64_t line_ = 1;         // of the next character
  int64_t record_line_ = 0;  // on which the current record begins
};

/// Reviews from a CSV file with a header row; every row must have as many fields as the header.
class CsvReader : public ReviewReader {
 public:
  CsvReader(std::unique_ptr<std::istream> input, const std::filesystem::path& file, const Columns& columns);
  std::optional<Review> next() override;

 private:
  size_t column(const std::string& name, const std::string& option) const;

  CsvRecords records_;
  std::vector<std::string> header_;
  size_t text_ = 0, label_ = 0;
};

}  // namespace lockstep::data
