#pragma once

#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "data/review_reader.h"
#include "data/text_input.h"

namespace lockstep::data {

/// Reviews from a file with one JSON object per line: the text a string, the label a string or an integer. Blank lines
/// are passed over, other keys ignored.
class JsonlReader : public ReviewReader {
 public:
  /// `file` is how errors call it.
  JsonlReader(std::unique_ptr<std::istream> input, const std::filesystem::path& file, const Columns& columns);
  std::optional<Review> next() override;

 private:
  bool next_line();
  std::string place() const;
  Review parse_line() const;

  TextInput input_;
  Columns columns_;
  std::string line_;
  int64_t line_number_ = 0;
  int64_t row_ = 0;
};

}  // namespace lockstep::data
