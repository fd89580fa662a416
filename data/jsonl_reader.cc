#include "data/jsonl_reader.h"

#include <utility>
#include <vector>

#include "data/error.h"
#include "data/json_text.h"
#include "data/spelling.h"
#include "data/utf8.h"

namespace lockstep::data {
namespace {

using Json = nlohmann::json;
constexpr const char* kExpected = R"(; expected an object such as {"text": "...", "label": 1})";

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items())
    keys.push_back(key);
  return keys;
}

/// On one line, or its first line.
bool begins_array(const std::string& line) {
  const size_t first = line.find_first_not_of(" \t\r");
  return first != std::string::npos && line[first] == '[';
}

void require_no_array(const std::string& first_line, const std::string& place) {
  if (begins_array(first_line))
    throw DataError(place + ": the file is one JSON array; expected one object per line (jq -c '.[]' makes it so)");
}

Json object_in(const std::string& line, const std::string& place) {
  Json object;
  try {
    object = parse_json(line);
  } catch (const DataError& error) {
    throw DataError(place + ": " + error.what() + kExpected);
  }
  if (!object.is_object()) throw DataError(place + ": found " + object.type_name() + kExpected);
  return object;
}

/// In the first object a missing key is a wrong column; later it is one damaged row.
void check_keys(const Json& object, const Columns& columns, const std::string& place, bool is_first) {
  for (const auto& [key, option] : {std::pair{columns.text, "--text_column"}, {columns.label, "--label_column"}}) {
    if (object.contains(key)) continue;
    const std::string message =
        place + ": no key \"" + key + "\"; the keys are: " + column_advice(key, option, keys_of(object));
    if (is_first) throw ContractError(message);
    throw DataError(message);
  }
}

const std::string& text_in(const Json& text, const std::string& place) {
  if (!text.is_string()) throw DataError(place + ": the text is " + text.type_name() + "; expected a string");
  const auto& bytes = text.get_ref<const std::string&>();
  if (std::ssize(bytes) > kMaxReviewBytes)
    throw DataError(place + ": the text has more than " + std::to_string(kMaxReviewBytes) + " bytes");
  return bytes;
}

std::string label_in(const Json& label, const std::string& place) {
  if (!label.is_string() && !label.is_number_integer())
    throw DataError(place + ": the label is " + excerpt(label.dump()) + "; expected a string or an integer");
  std::string name = label.is_string() ? label.get<std::string>() : label.dump();
  if (name.empty()) throw DataError(place + ": the label is empty");
  return name;
}

/// Of a line in which bytes were replaced: whether they stood in this part of it, as far as the parsed part can tell.
bool has_replacement(const std::string& part) {
  return part.find("\xEF\xBF\xBD") != std::string::npos;
}

}  // namespace

JsonlReader::JsonlReader(std::unique_ptr<std::istream> input, const std::filesystem::path& file, const Columns& columns)
    : input_(std::move(input), file), columns_(columns) {}

std::string JsonlReader::place() const {
  return input_.file() + ", line " + std::to_string(line_number_);
}

/// Reads to the next line that is not blank into line_; false at the end of the file.
bool JsonlReader::next_line() {
  constexpr int64_t kMaxLine = 6 * kMaxReviewBytes;  // every byte of a text may be written as \u00XX
  while (input_.peek() != TextInput::kEnd) {
    ++line_number_;
    line_.clear();
    for (int c; (c = input_.get()) != TextInput::kEnd && c != '\n';) {
      if (std::ssize(line_) == kMaxLine) {
        if (row_ == 0) require_no_array(line_, place());
        throw DataError(place() + ": has more than " + std::to_string(kMaxLine) + " bytes");
      }
      line_.push_back(static_cast<char>(c));
    }
    if (line_.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
  return false;
}

std::optional<Review> JsonlReader::next() {
  if (!next_line()) return std::nullopt;
  ++row_;
  return parse_line();
}

Review JsonlReader::parse_line() const {
  int64_t replaced = 0;
  if (row_ == 1) require_no_array(line_, place());
  const Json object = object_in(to_valid_utf8(line_, &replaced), place());
  check_keys(object, columns_, place(), row_ == 1);
  const std::string text = text_in(object[columns_.text], place()), label = label_in(object[columns_.label], place());
  if (replaced > 0 && has_replacement(label)) refuse_label(label, place());
  Review review = make_review(text, label, place());
  review.invalid_utf8 = replaced > 0 && has_replacement(text);
  return review;
}

}  // namespace lockstep::data
