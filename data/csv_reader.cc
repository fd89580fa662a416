#include "data/csv_reader.h"

#include <algorithm>
#include <utility>

#include "data/error.h"
#include "data/spelling.h"

namespace lockstep::data {
namespace {

constexpr size_t kMostFields = 4096;  // of a record

/// Of a header in one piece, which holds no comma.
void refuse_other_separators(const std::vector<std::string>& header, const std::string& place) {
  if (header.size() != 1) return;
  for (const auto& [separator, called] : {std::pair{';', "semicolons"}, {'\t', "tabs"}, {'|', "\"|\""}})
    if (header[0].find(separator) != std::string::npos)
      throw ContractError(place + ": the columns look separated by " + called + ", " + excerpt(header[0]) +
                          "; only commas are read, so save the file with these");
}

}  // namespace

CsvRecords::CsvRecords(std::unique_ptr<std::istream> input, const std::filesystem::path& file)
    : input_(std::move(input), file) {}

std::string CsvRecords::place() const {
  return input_.file() + ", line " + std::to_string(record_line_);
}

std::optional<std::vector<std::string>> CsvRecords::next() {
  while (true) {
    std::vector<std::string> fields;
    record_line_ = line_;
    const bool quoted = input_.peek() == '"';
    End end = End::kField;
    while (end == End::kField) {
      if (fields.size() == kMostFields)
        throw DataError(place() + ": more than " + std::to_string(kMostFields) + " fields");
      end = read_field(fields.emplace_back());
    }
    const bool blank = fields.size() == 1 && fields[0].empty() && !quoted;
    if (!blank) return fields;
    if (end == End::kFile) return std::nullopt;
  }
}

CsvRecords::End CsvRecords::read_field(std::string& field) {
  if (input_.peek() == '"') {
    read_quoted(field);
    if (const auto end = end_at(input_.get())) return *end;
    throw DataError(place() +
                    ": text follows the closing quote of a field; a quote inside a quoted field is written twice");
  }
  while (true) {
    const int c = input_.get();
    if (const auto end = end_at(c)) return *end;
    append(field, c);
  }
}

/// From the opening quote to the closing one.
void CsvRecords::read_quoted(std::string& field) {
  const int64_t opened = line_;
  input_.get();
  while (true) {
    const int c = input_.get();
    if (c == TextInput::kEnd)
      throw DataError(input_.file() + ": the quote opened on line " + std::to_string(opened) + " is never closed");
    if (c == '"' && input_.peek() != '"') return;
    if (c == '"') input_.get();
    if (c == '\n') ++line_;
    append(field, c);
  }
}

/// What the character `c`, already taken, ends; nothing if it belongs to the field.
std::optional<CsvRecords::End> CsvRecords::end_at(int c) {
  if (c == ',') return End::kField;
  if (c == TextInput::kEnd) return End::kFile;
  if (c == '\r' && input_.peek() == '\n') c = input_.get();
  const bool is_last = c == '\r' && input_.peek() == TextInput::kEnd;
  if (c == '\r' && !is_last && line_ == 1)
    throw DataError(place() + ": the lines end in CR alone; expected LF or CRLF (tr '\\r' '\\n' makes it so)");
  if (c != '\n' && !is_last) return std::nullopt;
  ++line_;
  return End::kRecord;
}

void CsvRecords::append(std::string& field, int c) {
  if (std::ssize(field) == kMaxReviewBytes)
    throw DataError(place() + ": a field has more than " + std::to_string(kMaxReviewBytes) +
                    " bytes; is a closing quote missing?");
  field.push_back(static_cast<char>(c));
}

CsvReader::CsvReader(std::unique_ptr<std::istream> input, const std::filesystem::path& file, const Columns& columns)
    : records_(std::move(input), file) {
  auto header = records_.next();
  if (!header) throw DataError(file.string() + ": is empty; expected a header row with the columns' names");
  header_ = std::move(*header);
  text_ = column(columns.text, "--text_column");
  label_ = column(columns.label, "--label_column");
}

size_t CsvReader::column(const std::string& name, const std::string& option) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) {
    refuse_other_separators(header_, records_.place());
    throw ContractError(records_.place() + ": no column \"" + name +
                        "\"; the columns are: " + column_advice(name, option, header_));
  }
  if (std::find(found + 1, header_.end(), name) != header_.end())
    throw ContractError(records_.place() + ": two columns are named \"" + name + "\"; rename one of them");
  return static_cast<size_t>(found - header_.begin());
}

std::optional<Review> CsvReader::next() {
  auto fields = records_.next();
  if (!fields) return std::nullopt;
  if (fields->size() != header_.size())
    throw DataError(records_.place() + ": " + std::to_string(fields->size()) + " fields, but the header has " +
                    std::to_string(header_.size()) + "; a text with commas or line ends needs quotes around it");
  if ((*fields)[label_].empty()) throw DataError(records_.place() + ": the label is empty");
  return make_review((*fields)[text_], (*fields)[label_], records_.place());
}

}  // namespace lockstep::data
