#include "data/review_reader.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "data/csv_reader.h"
#include "data/error.h"
#include "data/input_path.h"
#include "data/jsonl_reader.h"
#include "data/sha256.h"
#include "data/spelling.h"
#include "data/utf8.h"

namespace lockstep::data {

namespace {

/// The bytes of `file`. Throws DataError naming it if it cannot be opened.
std::unique_ptr<std::istream> open_bytes(const std::filesystem::path& file) {
  auto input = std::make_unique<std::ifstream>(file, std::ios::binary);
  const int problem = !*input ? errno : is_folder(file) ? EISDIR : 0;
  if (problem) throw DataError(file.string() + ": cannot be opened: " + std::strerror(problem));
  return input;
}

}  // namespace

std::unique_ptr<ReviewReader> open_review_file(const std::filesystem::path& file, const Columns& columns) {
  if (columns.text == columns.label)
    throw ContractError("column \"" + columns.text +
                        "\" cannot be both text and label; set --text_column or --label_column");
  const std::string extension = file.extension().string();
  if (extension == ".csv") return std::make_unique<CsvReader>(open_bytes(file), file, columns);
  if (extension == ".jsonl" || extension == ".json")
    return std::make_unique<JsonlReader>(open_bytes(file), file, columns);
  throw ContractError(file.string() + ": the extension \"" + extension +
                      "\" is not known; expected .csv, .jsonl or .json (one object per line)");
}

std::string column_advice(const std::string& missing, const std::string& option, std::span<const std::string> columns) {
  const std::string guess = one_slip_from(missing, columns);
  return excerpt(listed(columns), 400) + ". " +
         (guess.empty() ? "Name it with " + option : "Did you mean " + option + " \"" + guess + "\"?");
}

void refuse_label(const std::string& readable, const std::string& place) {
  throw DataError(place + ": the label \"" + excerpt(readable) +
                  "\" is not UTF-8; convert the file, such as with: iconv -f latin1 -t utf-8");
}

Review make_review(const std::string& bytes, const std::string& label, std::string id) {
  if (std::ssize(label) > kMaxLabelBytes)
    throw DataError(id + ": the label has " + std::to_string(label.size()) + " bytes, more than the " +
                    std::to_string(kMaxLabelBytes) + " that one may have; is --label_column the right one?");
  Review review;
  review.sha256 = sha256_of(bytes);
  int64_t replaced = 0;
  review.text = to_valid_utf8(bytes, &replaced);
  review.invalid_utf8 = replaced > 0;
  review.label = to_valid_utf8(label, &replaced);
  if (replaced > 0) refuse_label(review.label, id);
  review.id = std::move(id);
  return review;
}

}  // namespace lockstep::data
