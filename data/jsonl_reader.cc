#include "data/jsonl_reader.h"

#include <utility>
#include <vector>

#include "data/error.h"
#include "data/json_text.h"
#include "data/spelling.h"
#include "data/unicode.h"

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

std::string missing_key(const Json& object, const std::string& key, const std::string& option) {
  const auto keys = keys_of(object);
  const std::string guess = nearest(key, keys);
  return "no key \"" + key + "\"; the keys are: " + excerpt(listed(keys), 400) + ". " +
         (guess.empty() ? "Name it with " + option : "Did you mean " + option + " \"" + guess + "\"?");
}

}  // namespace

JsonlReader::JsonlReader(std::unique_ptr<std::istream> input, const std::filesystem::path& file, const Columns& columns)
    : file_(file.string()), columns_(columns), input_(std::move(input)) {}

std::string JsonlReader::place() const {
  return file_ + ", line " + std::to_string(line_number_);
}

/// Reads to the next line that is not blank into line_; false at the end of the file.
bool JsonlReader::next_line() {
  constexpr int64_t kMaxLine = 6 * kMaxReviewBytes;  // every byte of a text may be written as \u00XX
  while (input_->peek() != std::char_traits<char>::eof()) {
    ++line_number_;
    line_.clear();
    for (int c; (c = input_->rdbuf()->sbumpc()) != std::char_traits<char>::eof() && c != '\n';) {
      if (std::ssize(line_) == kMaxLine)
        throw DataError(place() + ": has more than " + std::to_string(kMaxLine) + " bytes");
      line_.push_back(static_cast<char>(c));
    }
    if (line_number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
    if (line_.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
  return false;
}

std::optional<Review> JsonlReader::next() {
  if (!next_line()) return std::nullopt;
  ++row_;
  return parse_line();
}

Review JsonlReader::parse_line() {
  int64_t replaced = 0;
  Json object;
  try {
    object = parse_json(to_valid_utf8(line_, &replaced));
  } catch (const DataError& error) {
    if (row_ == 1 && line_.find_first_not_of(" \t\r") == line_.find('['))
      throw DataError(place() + ": the file is one JSON array; expected one object per line (jq -c '.[]' makes it so)");
    throw DataError(place() + ": " + error.what() + kExpected);
  }
  if (!object.is_object()) throw DataError(place() + ": found " + object.type_name() + kExpected);
  for (const auto& [key, option] : {std::pair{columns_.text, "--text_column"}, {columns_.label, "--label_column"}}) {
    if (object.contains(key)) continue;
    const std::string message = place() + ": " + missing_key(object, key, option);
    if (row_ == 1) throw ContractError(message);  // the file has other columns; later it is one damaged row
    throw DataError(message);
  }
  const Json& text = object[columns_.text];
  const Json& label = object[columns_.label];
  if (!text.is_string()) throw DataError(place() + ": the text is " + text.type_name() + "; expected a string");
  if (!label.is_string() && !label.is_number_integer())
    throw DataError(place() + ": the label is " + excerpt(label.dump()) + "; expected a string or an integer");
  const std::string name = label.is_string() ? label.get<std::string>() : label.dump();
  if (name.empty()) throw DataError(place() + ": the label is empty");
  if (std::ssize(text.get_ref<const std::string&>()) > kMaxReviewBytes)
    throw DataError(place() + ": the text has more than " + std::to_string(kMaxReviewBytes) + " bytes");
  Review review = make_review(text.get_ref<const std::string&>(), name, place());
  review.invalid_utf8 = replaced > 0;
  return review;
}

}  // namespace lockstep::data
