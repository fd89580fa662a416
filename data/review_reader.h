#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "data/review.h"

namespace lockstep::data {

/// No single text may be larger: a review of 16 MiB is a mistake in the file, not a review.
inline constexpr int64_t kMaxReviewBytes = int64_t{16} << 20;

/// A longer label is a text: the column is the wrong one.
inline constexpr int64_t kMaxLabelBytes = 1024;

/// Hands out the labelled texts of one split of one source, one after the other. One thread.
class ReviewReader {
 public:
  virtual ~ReviewReader() = default;
  /// The next review, or nothing at the end. Throws DataError naming the file and the place; the reader is then spent.
  virtual std::optional<Review> next() = 0;
};

/// Which columns of a CSV header, or keys of a JSONL object, hold text and label.
struct Columns {
  std::string text = "text";
  std::string label = "label";
};

/// A reader for `file` by its extension: .csv, or .jsonl/.json with one object per line. Throws ContractError for any
/// other extension or a missing column, DataError if the file cannot be read.
std::unique_ptr<ReviewReader> open_review_file(const std::filesystem::path& file, const Columns& columns);

/// "id, message. Name it with --text_column": the columns that there are and the remedy, where one is missing.
std::string column_advice(const std::string& missing, const std::string& option, std::span<const std::string> columns);

/// Of a label in which bytes were replaced, which could make one class of two. Throws DataError.
[[noreturn]] void refuse_label(const std::string& readable, const std::string& place);

/// Hashes `bytes`, then makes them valid UTF-8. What every reader ends with. `id` is how errors call the place. Throws
/// DataError if the label is not UTF-8, or longer than kMaxLabelBytes.
Review make_review(const std::string& bytes, const std::string& label, std::string id);

}  // namespace lockstep::data
