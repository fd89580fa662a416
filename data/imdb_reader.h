#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/review_reader.h"
#include "data/tar_reader.h"

namespace lockstep::data {

/// Reviews of one split ("train" or "test") of the Large Movie Review Dataset, from its folder or its tar archive (gzip
/// or plain). Only {train,test}/{pos,neg}/*.txt count, below any leading folder; everything else, `unsup` too, is
/// passed over. Labels are "neg" and "pos"; ids are "train/pos/0_9.txt". The order is the source's: sort with
/// imdb_order.
class ImdbReader : public ReviewReader {
 public:
  /// Throws DataError if `source` is neither a folder with train/ or test/ nor a file.
  ImdbReader(const std::filesystem::path& source, const std::string& split);
  std::optional<Review> next() override;

 private:
  std::optional<Review> next_in_archive();
  std::optional<Review> next_in_folder();

  std::string source_;
  std::string split_;
  std::unique_ptr<TarReader> archive_;
  std::string root_;  // what precedes train/ in the archive
  bool root_known_ = false;
  std::vector<std::filesystem::path> files_;  // of the folder, in reverse order
};

/// The order of examples: by label (neg first), then by the number that a file's name begins with, then by path.
bool imdb_order(const Review& a, const Review& b);

}  // namespace lockstep::data
